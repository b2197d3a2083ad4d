// Drives @segment/analytics-node as an application would: an order on stdin, its reports on stdout.
import { text } from 'node:stream/consumers'
import { Analytics } from '@segment/analytics-node'

const order = JSON.parse(await text(process.stdin))
const analytics = new Analytics({ writeKey: order.write_key, host: order.host, ...order.settings })
const reports = new Map()
const AT_ONCE = 200 // calls that nobody has answered yet: the SDK sends all of them at once
const PATIENCE = 600_000 // milliseconds, after which the SDK would drop what it still has

const pause = () => new Promise((resolve) => setTimeout(resolve, 5))

function told(n, error, ctx) {
  const { messageId, timestamp } = ctx.event
  reports.set(n, { n, id: messageId, timestamp, outcome: error ? 'dropped' : 'delivered' })
}

function called({ n, type, fields, timestamp, ...given }) {
  const own = type === 'identify' || type === 'group' ? { traits: fields } : { properties: fields }
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  const when = timestamp ? { timestamp: new Date(timestamp) } : {}
  analytics[type]({ ...present, ...own, ...when }, (error, ctx) => told(n, error, ctx))
}

console.warn = () => {} // the SDK says so each time that one flush overlaps another
for (const call of order.calls) {
  called(call)
  if (order.restless) analytics.flush()
  if (order.restless && call.n % 10 === 9) await pause()
  while (call.n - reports.size >= AT_ONCE) await pause()
}
if (order.restless) for (const _ of [1, 2, 3]) analytics.closeAndFlush({ timeout: PATIENCE })
while (reports.size < order.calls.length) await analytics.closeAndFlush({ timeout: PATIENCE }).then(pause)
process.stdout.write(JSON.stringify([...reports.values()]))
