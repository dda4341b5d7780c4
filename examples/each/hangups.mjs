// The hangups of a cluster, a line for each, until the end: node hangups.mjs HOST:PORT CLUSTER
// A bridge with --each Hangup puts them on the bus. This speaks NATS' protocol itself; with accounts or TLS take the client
// @nats-io/transport-node, whose nc.subscribe("ami.one.CLUSTER.*.Hangup") gives the same texts.
import net from 'node:net'

const [address, cluster] = process.argv.slice(2)
const colon = address.lastIndexOf(':')
const bus = net.connect(Number(address.slice(colon + 1)), address.slice(0, colon))
bus.write(`CONNECT {"verbose":false}\r\nSUB ami.one.${cluster}.*.Hangup 1\r\n`)

function take(event) {
  if (event.type === 'gap') return // subscribe to ami.one.CLUSTER.*.gap, too, to know of what is missing
  console.log(`${event.node} ${event.time} ${event.fields.Channel}: ${event.fields['Cause-txt']}`)
}

let rest = ''
let isEvent = false
bus.setEncoding('utf8')
bus.on('data', (text) => {
  const lines = (rest + text).split('\r\n')
  rest = lines.pop() // the beginning of the next
  for (const line of lines) {
    if (isEvent) take(JSON.parse(line))
    else if (line === 'PING') bus.write('PONG\r\n')
    else if (line.startsWith('-ERR')) throw new Error(line)
    isEvent = !isEvent && line.startsWith('MSG ') // MSG SUBJECT 1 LENGTH, and then the line
  }
})
bus.on('close', () => process.exit(1))
