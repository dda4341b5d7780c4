"""Debian's python3-panoramisk: an action, a list, a command, an event, the end of a call, and events while it waits."""
import asyncio
import sys

from panoramisk import Manager


async def main(host, port, secret):
    manager = Manager(host=host, port=int(port), username="admin", secret=secret, ping_delay=3600)
    events = asyncio.Queue()
    manager.register_event("UserEvent", lambda _, event: events.put_nowait(event))
    await manager.connect()
    while not manager.authenticated:
        await asyncio.sleep(0.01)
    pong = await manager.send_action({"Action": "Ping"})
    print("ping:", pong.response, pong.ping)
    params = await manager.send_action({"Action": "QueueStatus"}, as_list=True)
    print("queues:", sorted({p.queue for p in params if getattr(p, "event", "") == "QueueParams"}))
    command = await manager.send_command("core show version")
    print("command:", command.response, bool(command.success))
    sent = await manager.send_action({"Action": "UserEvent", "UserEvent": "Panoramisk", "N": "1"})
    print("user event:", sent[0].response if isinstance(sent, list) else sent.response)
    failed = await manager.send_action({
        "Action": "Originate", "Channel": "Nonsense/1", "Context": "default", "Exten": "200", "Priority": "1", "Async": "true"})
    last = failed[-1] if isinstance(failed, list) else failed
    print("originate:", last.response)
    bogus = await manager.send_action({"Action": "Bogus"})
    print("bogus:", bogus.response)
    manager.close()


asyncio.get_event_loop_policy().new_event_loop().run_until_complete(main(*sys.argv[1:]))
