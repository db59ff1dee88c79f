// As much of Redis as a subscriber needs: AUTH, SUBSCRIBE, and what is pushed then.

import { connect } from 'node:net'

const CONNECT_TIMEOUT_MS = 1000
const BUFFER_BYTES_MAX = 1024 * 1024

/**
 * Subscribes at `redis://user:password@host:port`. `subscribed()` is called when all channels are confirmed,
 * `message(channel, bytes)` for each message, `lost(reason)` once at the end. Returns the socket, to destroy.
 */
export function subscribe(url, channels, { subscribed, message, lost }) {
  const { hostname, port, username, password } = new URL(url)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) })
  let buffer = Buffer.alloc(0)
  let confirmed = 0
  const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), CONNECT_TIMEOUT_MS)

  socket.on('connect', () => {
    clearTimeout(timer)
    if (password) socket.write(command('AUTH', decodeURIComponent(username || 'default'), decodeURIComponent(password)))
    socket.write(command('SUBSCRIBE', ...channels))
  })
  socket.on('data', (data) => {
    buffer = Buffer.concat([buffer, data])
    for (let read = reply(buffer, 0); read; read = reply(buffer, 0)) {
      buffer = buffer.subarray(read.end)
      const [kind, channel, payload] = Array.isArray(read.value) ? read.value : []
      if (read.value instanceof Error) socket.destroy(read.value)
      else if (String(kind) === 'subscribe' && ++confirmed === channels.length) subscribed()
      else if (String(kind) === 'message') message(String(channel), payload)
    }
    if (buffer.length > BUFFER_BYTES_MAX) socket.destroy(new Error('too long a message'))
  })
  socket.on('error', () => {}) // 'close' follows, and tells
  socket.on('close', () => {
    clearTimeout(timer)
    lost(socket.errored?.message ?? 'the connection was closed')
  })
  return socket
}

const command = (...words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/** One RESP2 reply at `start`: its value, and where it ends. Undefined while it is not whole. */
function reply(buffer, start) {
  const newline = buffer.indexOf('\r\n', start)
  if (newline < 0) return undefined
  const line = buffer.toString('utf8', start + 1, newline)
  let end = newline + 2
  switch (String.fromCharCode(buffer[start])) {
    case '+': return { value: line, end }
    case '-': return { value: new Error(line), end }
    case ':': return { value: Number(line), end }
    case '$': {
      const value = buffer.subarray(end, (end += Number(line)))
      return end + 2 <= buffer.length ? { value, end: end + 2 } : undefined
    }
    case '*': {
      const value = []
      for (let left = Number(line); left > 0; left--) {
        const element = reply(buffer, end)
        if (!element) return undefined
        value.push(element.value)
        end = element.end
      }
      return { value, end }
    }
    default: return { value: new Error('that is no Redis'), end: buffer.length }
  }
}
