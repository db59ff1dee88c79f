// Follows some namespaces of one environment, as docs/protocol.md says: push makes it fast, sync makes it true.

import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'

import { UnknownSigner, parseJson, readFrame, readKeys } from './frames.mjs'
import { subscribe } from './redis.mjs'
import { State } from './rules.mjs'

const SILENCE_MS = 3500
const POLL_INTERVAL_MS = 10_000
const HOLD_S = 5
const UNKNOWN_SIGNER_MS = 10_000
const BACKOFF_MAX_MS = 3000
const LEAVE_MS = 500

const now = () => performance.now()
const upTo = (ms) => ms * Math.random()
const jittered = (ms) => ms * (0.9 + 0.2 * Math.random())

export class Client {
  #id = randomUUID()
  #state
  #keys = new Map()
  #socket = null
  #pushUrl = null
  #heardAt = -Infinity // the last sign of life by push; forgotten when it has been silent for too long
  #quietSince = Infinity // that, or when we began to listen
  #unknownAt = -Infinity
  #syncAt = 0 // when a sync is due, dirty or not
  #dirtyAt = Infinity
  #reportWithinMs = 2000
  #failures = 0
  #synced = false
  #wake = () => {}
  #closing = new AbortController()

  /** `changed(client)` is called after each new state. `cacheFile` is where to keep the last one, without secrets. */
  constructor({ url, token, service, env, namespaces, changed = () => {}, log = console.error, cacheFile = null }) {
    Object.assign(this, { url, token, service, env, namespaces, changed, log, cacheFile })
    this.#state = new State(namespaces)
  }

  get revision() {
    return this.#state.revision
  }

  get transport() {
    if (now() - this.#heardAt < SILENCE_MS) return 'redis'
    return this.#synced ? 'longpoll' : 'none'
  }

  get(namespace, key) {
    return this.#state.values.get(namespace)?.get(key)?.value
  }

  close() {
    this.#closing.abort()
    this.#socket?.destroy()
    this.#wake()
  }

  /** Follows until `close`. */
  async run() {
    this.#load()
    const tick = setInterval(() => this.#listenForSilence(), 250)
    while (!this.#closing.signal.aborted) {
      const left = Math.min(this.#syncAt, this.#state.dirty ? this.#dirtyAt : Infinity) - now()
      if (left > 0) await this.#pause(left)
      else await this.#sync()
    }
    clearInterval(tick)
    // A courtesy to whoever waits for all instances, so an error is none.
    if (this.#synced) await this.#ask({ ...this.#state.asks(), wait_s: 0 }, true).catch(() => {})
  }

  async #sync() {
    const started = now()
    const asked = this.#state.asks()
    const hold = this.transport === 'redis' || this.#state.dirty ? 0 : HOLD_S
    this.#dirtyAt = Infinity
    try {
      const answer = await this.#ask({ ...asked, wait_s: hold })
      this.#failures = 0
      this.#synced = true
      this.#reportWithinMs = answer.report_within_s * 1000
      this.#apply(() => this.#state.answer(answer, asked), answer.reset)
      this.#follow(answer.push)
      const pollAt = started + (hold && answer.kind === 'none' ? 1000 : 100)
      this.#syncAt = this.transport === 'redis' ? now() + jittered(answer.next_sync_s * 1000) : pollAt
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#synced = false
      this.log(`sync: ${error.message}`)
      const backoff = Math.min(250 * 2 ** ++this.#failures, BACKOFF_MAX_MS) * (0.5 + upTo(0.5))
      this.#syncAt = now() + (error.pauseMs ?? backoff)
      this.#dirtyAt = this.#syncAt
    }
  }

  async #ask(request, leaving = false) {
    const client = { id: this.#id, service: this.service, host: hostname(), pid: process.pid, sdk: 'node-example/1',
      transport: this.transport, ...(leaving && { leaving }) }
    const timeout = AbortSignal.timeout(leaving ? LEAVE_MS : (request.wait_s + 2) * 1000)
    const response = await fetch(`${this.url}/v1/sync`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ client, env: this.env, namespaces: this.namespaces, ...request }),
      signal: leaving ? timeout : AbortSignal.any([timeout, this.#closing.signal]),
    })
    const text = await response.text()
    if (response.ok) return parseJson(text)
    const error = new Error(`${response.status} ${text.slice(0, 500)}`)
    const retryAfter = Number(response.headers.get('Retry-After')) * 1000
    if (retryAfter > 0) error.pauseMs = Math.min(retryAfter, 60_000) + upTo(500)
    else if (response.status < 500) error.pauseMs = POLL_INTERVAL_MS * (0.7 + upTo(0.2)) // ask less often, never stop
    throw error
  }

  /** Does something to the state, then tells and keeps what came of it. */
  #apply(act, reset = false) {
    const { cursor, revision } = this.#state
    const result = act()
    if (this.#state.dirty && this.#dirtyAt === Infinity) this.#dirtyAt = now() + upTo(500)
    if (this.#state.cursor !== cursor) {
      if (reset || this.#state.revision < revision) this.log(`another history: ${this.#state.cursor} follows ${cursor}`)
      this.#syncAt = Math.min(this.#syncAt, now() + upTo(0.9 * this.#reportWithinMs))
      this.#save()
      this.changed(this)
    }
    this.#wake()
    return result
  }

  #follow(push) {
    this.#keys = readKeys(push?.keys ?? {})
    if ((push?.url ?? null) === this.#pushUrl) return
    this.#pushUrl = push?.url ?? null
    this.#socket?.destroy()
    // Other addresses (TLS, sentinels, sockets) are left to a client that is more than an example: it polls.
    if (/^redis:\/\/[^,]+$/.test(this.#pushUrl)) this.#listen(this.#pushUrl, 0)
  }

  #listen(url, failures) {
    if (url !== this.#pushUrl || this.#closing.signal.aborted) return
    this.#quietSince = now()
    const channels = [`config:releases:${this.env}`, ...this.namespaces.map((name) => `config:changes:${name}:${this.env}`)]
    this.#socket = subscribe(url, channels, {
      // What was published before this moment may have been missed.
      subscribed: () => this.#apply(() => this.#state.doubt()),
      message: (channel, frame) => {
        if (this.#hear(channel, frame)) failures = 0
      },
      lost: (reason) => {
        if (this.#closing.signal.aborted || url !== this.#pushUrl) return
        this.log(`push: ${reason}`)
        this.#fallSilent()
        setTimeout(() => this.#listen(url, failures + 1), Math.min(100 * 2 ** failures, BACKOFF_MAX_MS) * (0.5 + upTo(0.5)))
      },
    })
  }

  /** One frame; whether it was a sign of life. */
  #hear(channel, frame) {
    let message
    try {
      message = readFrame(frame, channel, this.env, this.#keys)
    } catch (error) {
      if (error instanceof UnknownSigner && now() - this.#unknownAt > UNKNOWN_SIGNER_MS) {
        this.#unknownAt = now()
        this.#apply(() => this.#state.doubt())
      }
      return false
    }
    if (!message.isHeader) return this.#apply(() => this.#state.part(message))
    const alive = this.#apply(() => this.#state.header(message))
    if (alive) this.#heardAt = this.#quietSince = now()
    return alive
  }

  #listenForSilence() {
    if (now() - this.#quietSince < SILENCE_MS) return
    this.#quietSince = Infinity
    this.#socket.destroy(new Error('no heartbeat'))
  }

  #fallSilent() {
    this.#heardAt = -Infinity
    this.#syncAt = Math.min(this.#syncAt, now() + upTo(500))
    this.#apply(() => this.#state.doubt())
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, 60_000))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #save() {
    if (!this.cacheFile) return
    const { cursor, revision, values } = this.#state
    const plain = [...values].map(([name, scope]) => [name, [...scope].filter(([, entry]) => !entry.secret)])
    const text = JSON.stringify({ cursor, revision, values: plain }, (_, value) =>
      typeof value === 'bigint' ? { int64: String(value) } : value)
    const fresh = `${this.cacheFile}.${process.pid}`
    writeFileSync(fresh, text, { mode: 0o600 })
    renameSync(fresh, this.cacheFile)
  }

  #load() {
    if (!this.cacheFile) return
    try {
      const { values, ...kept } = JSON.parse(readFileSync(this.cacheFile, 'utf8'), (_, value) =>
        typeof value?.int64 === 'string' ? BigInt(value.int64) : value)
      this.#state.fromDisk({ ...kept, values: new Map(values.map(([name, scope]) => [name, new Map(scope)])) })
      this.changed(this)
    } catch (error) {
      if (error.code !== 'ENOENT') this.log(`${this.cacheFile}: ${error.message}`)
    }
  }
}
