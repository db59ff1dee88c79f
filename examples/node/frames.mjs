// Bytes from outside: JSON with whole 64-bit integers, and signed push frames. Verify first, parse second.

import { createHash, createPublicKey, verify } from 'node:crypto'

const FRAME_BYTES_MAX = 128 * 1024
const DOMAIN = Buffer.from('configsvc/push/v1\n')
const FRAME = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]{86})\./
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g
const BIG = '\u0000int:'

export class UnknownSigner extends Error {}

/** JSON.parse, but integers that a number can't hold exactly become BigInt. */
export function parseJson(text) {
  const kept = text.replace(TOKENS, (token) => (isBig(token) ? JSON.stringify(BIG + token) : token))
  return JSON.parse(kept, (_, value) =>
    typeof value === 'string' && value.startsWith(BIG) ? BigInt(value.slice(BIG.length)) : value)
}

const isBig = (token) => /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token))

/** The signing keys of a sync answer, by their names. Throws where a key has another key's name. */
export function readKeys(keys) {
  return new Map(Object.entries(keys).map(([kid, x]) => {
    const name = createHash('sha256').update(Buffer.from(x, 'base64url')).digest('hex').slice(0, 16)
    if (name !== kid) throw new Error(`signing key ${name} came as ${kid}`)
    return [kid, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })]
  }))
}

/** The header or part that a frame (a Buffer) holds. Throws for one to drop, UnknownSigner where a sync may bring the key. */
export function readFrame(frame, channel, env, keys) {
  const head = frame.length <= FRAME_BYTES_MAX && FRAME.exec(frame.subarray(0, 108).toString('latin1'))
  if (!head) throw new Error('no v1 frame')
  const [{ length }, kid, signature] = head
  const json = frame.subarray(length)
  if (!keys.has(kid)) throw new UnknownSigner(kid)
  if (!verify(null, Buffer.concat([DOMAIN, json]), keys.get(kid), Buffer.from(signature, 'base64url'))) {
    throw new Error('bad signature')
  }
  const message = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(json))
  const isHeader = channel === `config:releases:${env}`
  const place = isHeader || channel === `config:changes:${message.namespace}:${env}`
  if (message.env !== env || !place || !(isHeader ? isGoodHeader : isGoodPart)(message)) throw new Error('bad message')
  return { ...message, isHeader, bytes: frame.length }
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0
const isText = (value) => typeof value === 'string' && value !== ''
const isRelease = (message) => isCount(message.revision) && isText(message.cursor)

const isGoodHeader = (message) =>
  isRelease(message) && isCount(message.beat) && (message.previous === null || isText(message.previous)) &&
  Array.isArray(message.namespaces) && message.namespaces.every(isText)

const isGoodPart = (message) =>
  isRelease(message) && (message.changes === null || (Array.isArray(message.changes) && message.changes.every(isGoodChange)))

const isGoodChange = (change) =>
  isText(change.key) && isCount(change.version) &&
  (change.deleted || (change.secret && !('value' in change)) || ('value' in change && isOfType(change.type, change.value)))

function isOfType(type, value) {
  if (type === 'int') return Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value)
  const kind = { string: 'string', float: 'number', bool: 'boolean' }[type]
  return !kind || typeof value === kind // json, and types that are yet to come, may be anything
}
