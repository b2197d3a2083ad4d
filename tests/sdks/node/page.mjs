// Drives @segment/analytics-next in a page as an application would; the test calls `begin`, `make`, `given_up` and `kept`.
const errors = []
let analytics

window.begin = async (writeKey, host, settings) => {
  const options = Object.keys(settings).length ? { integrations: { 'Segment.io': settings } } : {}
  const loading = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL: host }, options)
  loading.on('error', ({ ctx }) => errors.push(ctx.event.messageId))
  analytics = (await loading)[0]
}

// Makes calls, some at a time; the SDK's own message of each as soon as it has one, delivered or not.
window.make = async (calls) => Promise.all(calls.map(made))

async function made(call) {
  const calling = called(call)
  if (call.type === 'identify') analytics.reset() // logged out at once: each call says itself whose it is
  const { event } = await calling
  return { n: call.n, id: event.messageId, timestamp: new Date(event.timestamp).toISOString(), outcome: 'delivered' }
}

function called({ type, userId, anonymousId, previousId, groupId, event, category, name, fields, timestamp }) {
  const options = { anonymousId, ...(userId && { userId }), ...(timestamp && { timestamp: new Date(timestamp) }) }
  switch (type) {
    case 'track': return analytics.track(event, fields, options)
    case 'identify': return analytics.identify(userId, fields, options)
    case 'group': return analytics.group(groupId, fields, options)
    case 'alias': return analytics.alias(userId, previousId, options)
    default: return analytics[type](category, name, fields, options)
  }
}

window.given_up = () => errors

// What the SDK keeps for the next page, if it keeps anything.
window.kept = () =>
  Object.entries(localStorage)
    .filter(([key]) => key.startsWith('persisted-queue') && key.endsWith(':items'))
    .flatMap(([, items]) => JSON.parse(items).map(({ event }) => event.messageId))
