// Prints a setting now, and again whenever it changes: node examples/node/watch.mjs payments rate_limit
// CONFIGSVC_URL and CONFIGSVC_TOKEN say where the service is and who asks (. .dev/env sets both).

import { Client } from './client.mjs'

const [namespace, key] = process.argv.slice(2)
const { CONFIGSVC_URL: url, CONFIGSVC_TOKEN: token, CONFIGSVC_ENV: env = 'development' } = process.env
if (!key || !url || !token) {
  console.error('usage: CONFIGSVC_URL=… CONFIGSVC_TOKEN=… node watch.mjs NAMESPACE KEY')
  process.exit(2)
}

let shown
const client = new Client({
  url, token, env, service: 'watch-node', namespaces: [namespace], cacheFile: process.env.CONFIGSVC_CACHE,
  changed({ revision, transport }) {
    const value = client.get(namespace, key)
    if (value === shown) return
    shown = value
    console.log(`${namespace}/${key} = ${value}  (revision ${revision}, ${transport})`)
  },
})
process.on('SIGINT', () => client.close())
process.on('SIGTERM', () => client.close())
await client.run()
