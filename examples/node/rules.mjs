// The table "Client rules" of docs/protocol.md: no I/O and no clock. What `values` shows is never a mixture of two releases.

const HOLD_CURSORS_MAX = 1024
const HOLD_BYTES_MAX = 4 * 1024 * 1024

export class State {
  constructor(namespaces) {
    this.namespaces = namespaces
    this.values = new Map(namespaces.map((namespace) => [namespace, new Map()]))
    Object.assign(this, { cursor: null, revision: 0, view: null, complete: false, dirty: true, last: null, swaps: 0 })
    this.hold = new Map() // by cursor, oldest first: {revision, header, parts: namespace → part}
  }

  /** What a sync that is sent now says that we have. */
  asks() {
    return this.complete ? { have: this.cursor, view: this.view } : { have: null, view: null }
  }

  doubt() {
    this.dirty = true
  }

  /** A verified header. Returns whether it is a sign of life. */
  header(header) {
    if (this.last && header.beat <= this.last.beat) return false
    this.last = header
    if (header.cursor === this.cursor) return true
    this.#keep(header.cursor, header.revision, (held) => (held.header = header))
    this.#drain()
    if (header.cursor !== this.cursor) this.dirty = true
    return true
  }

  /** A verified part. */
  part(part) {
    this.#keep(part.cursor, part.revision, (held) => held.parts.set(part.namespace, part))
    this.#drain()
  }

  /** What a sync answered to a request that carried `asked`. */
  answer(answer, asked) {
    const now = this.asks()
    if (asked.have !== now.have || asked.view !== now.view) return // push was quicker
    let values = this.values
    if (answer.kind === 'full') {
      values = new Map(this.namespaces.map((name) => [name, new Map(Object.entries(answer.values[name]))]))
    } else if (answer.kind === 'changes') {
      values = overlay(values, answer.changes)
    }
    this.#swap(values, answer)
    Object.assign(this, { view: answer.view, complete: true })
    this.#drain()
  }

  /** What an earlier run has kept: shown, until a full answer comes. */
  fromDisk({ values, cursor, revision }) {
    if (!this.complete) Object.assign(this, { values, cursor, revision })
  }

  #keep(cursor, revision, put) {
    const held = this.hold.get(cursor) ?? { revision, header: null, parts: new Map() }
    put(held)
    this.hold.set(cursor, held)
    while (this.hold.size > HOLD_CURSORS_MAX || this.#heldBytes() > HOLD_BYTES_MAX) {
      this.hold.delete(this.hold.keys().next().value)
    }
  }

  #heldBytes() {
    const messages = [...this.hold.values()].flatMap((held) => [held.header, ...held.parts.values()])
    return messages.reduce((sum, message) => sum + (message?.bytes ?? 0), 0)
  }

  #drain() {
    for (const header of this.#wayFromMine()) {
      const parts = this.#partsForMe(header)
      if (!parts) return
      const changes = Object.fromEntries(parts.map((part) => [part.namespace, part.changes]))
      this.#swap(overlay(this.values, changes), header)
    }
  }

  /** The held headers from the one after mine to the last one; none if one of them is missing. */
  #wayFromMine() {
    const way = []
    for (let header = this.complete ? this.last : null; header && header.cursor !== this.cursor; ) {
      way.unshift(header)
      if (header.previous === this.cursor) return way
      if (way.length > HOLD_CURSORS_MAX) return []
      header = this.hold.get(header.previous)?.header
    }
    return []
  }

  #partsForMe(header) {
    const mine = header.namespaces.filter((name) => this.namespaces.includes(name))
    const parts = mine.map((name) => this.hold.get(header.cursor)?.parts.get(name))
    return parts.every((part) => part?.changes?.every((change) => change.deleted || 'value' in change)) ? parts : null
  }

  #swap(values, { cursor, revision }) {
    Object.assign(this, { values, cursor, revision, dirty: false, swaps: this.swaps + 1 })
    for (const [held, { revision: of }] of this.hold) if (of <= revision) this.hold.delete(held)
  }
}

function overlay(values, changes) {
  const result = new Map(values)
  for (const [namespace, list] of Object.entries(changes)) {
    const scope = new Map(result.get(namespace))
    for (const { key, deleted, ...entry } of list) deleted ? scope.delete(key) : scope.set(key, entry)
    result.set(namespace, scope)
  }
  return result
}
