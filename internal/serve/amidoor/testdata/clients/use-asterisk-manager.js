// npm's asterisk-manager: actions by callback, responses and events by name, and what it has to say of the protocol.
const [host, port, secret] = process.argv.slice(2);
const ami = require('asterisk-manager')(port, host, 'admin', secret, true);

const ask = (action) => new Promise((resolve) => ami.action(action, (err, res) => resolve(err || res)));
const once = (name) => new Promise((resolve) => ami.once(name, resolve));

(async () => {
  await once('connect');
  const pong = await ask({ action: 'ping' });
  console.log('ping:', pong.response, pong.ping);
  const done = once('queuestatuscomplete');
  const status = await ask({ action: 'queuestatus' });
  console.log('queues:', status.response, (await done).eventlist);
  const command = await ask({ action: 'command', command: 'core show version' });
  console.log('command:', command.response);
  const event = once('userevent');
  await ask({ action: 'userevent', userevent: 'Node', n: '1' });
  console.log('event:', (await event).n);
  const response = once('originateresponse');
  const originate = await ask({ action: 'originate', channel: 'Nonsense/1', context: 'default', exten: '200', priority: 1, async: 'true' });
  console.log('originate:', originate.response, (await response).reason);
  const bogus = await ask({ action: 'bogus' });
  console.log('bogus:', bogus.response);
  ami.disconnect();
  process.exit(0);
})();
