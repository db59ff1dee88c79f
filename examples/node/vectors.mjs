// Replays the vectors that every client can be checked with (tests/contract): node --test examples/node/vectors.mjs

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { UnknownSigner, parseJson, readFrame, readKeys } from './frames.mjs'
import { State } from './rules.mjs'

const vectors = (name) => parseJson(readFileSync(new URL(`../../tests/contract/${name}.json`, import.meta.url), 'utf8'))
// JavaScript has one kind of number: 1.0 and 1 are the same to it.
const CANNOT_TELL = ['an int that has a fraction', 'a float without a fraction']

const frames = vectors('frames')
const read = ({ frame, channel }) => readFrame(Buffer.from(frame), channel, frames.env, readKeys(frames.keys))

for (const vector of frames.good) {
  test(`good frame: ${vector.name}`, () => {
    const { isHeader, bytes, ...message } = read(vector)
    for (const [name, value] of Object.entries(vector.message)) assert.deepEqual(message[name], value)
  })
}
for (const vector of frames.bad) {
  test(`bad frame: ${vector.name}`, { skip: CANNOT_TELL.includes(vector.name) }, () => {
    assert.throws(() => read(vector), (error) => !(error instanceof UnknownSigner))
  })
}
for (const vector of frames.unknown_signer) {
  test(`unknown signer: ${vector.name}`, () => assert.throws(() => read(vector), UnknownSigner))
}
for (const { name, namespaces, steps } of vectors('client_rules').scripts) {
  test(`rules: ${name}`, () => {
    const state = new State(namespaces)
    for (const { then, ...step } of steps) {
      const swaps = state.swaps
      let alive = null
      if (step.header && state.header(step.header)) alive = step.header.cursor === state.cursor ? 'current' : 'behind'
      if (step.part) state.part(step.part)
      if (step.answer) state.answer(step.answer, step.to)
      if (step.doubt) state.doubt()
      const values = {}
      for (const [namespace, scope] of state.values) {
        for (const [key, entry] of scope) if ('value' in entry) values[`${namespace}/${key}`] = entry.value
      }
      const { cursor, dirty } = state
      assert.deepEqual({ cursor, dirty, values, alive, swaps: state.swaps - swaps }, then)
    }
  })
}
