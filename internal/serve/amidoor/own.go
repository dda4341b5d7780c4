package amidoor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/stream"
	"github.com/apntalk/amictl/internal/serve/users"
)

// An ownAction is one that the door answers itself: it concerns the client's session and nothing else, so that it needs no
// right. ctx ends when the door is to take no more actions, work when their time is up. It returns false to end the session.
type ownAction func(c *client, ctx, work context.Context) bool

// ownOf returns the own action of a name, nil if there is none, and whether it is there before the login, too.
func ownOf(action string) (run ownAction, stranger bool) {
	switch strings.ToLower(action) {
	case "login":
		return login, true
	case "logoff":
		return logoff, true
	case "challenge":
		return challenge, true
	case "ping":
		return ping, false
	case "events":
		return events, false
	case "filter":
		return filter, false
	case "waitevent":
		return waitEvent, false
	case "listcommands":
		return listCommands, false
	}
	return nil, false
}

func (c *client) get(header string) string { return string(c.in.First(header, false)) }

// failDelay is how long a failed login waits for its answer, as in manager.c.
const failDelay = time.Second

// login is action_login. Who fails waits for a second, as with Asterisk, and longer before each further try from that address.
func login(c *client, ctx, _ context.Context) bool {
	if c.user.Load() != nil {
		c.answer("Success", "Message", "Already authenticated")
		return true
	}
	name, guard := c.get("Username"), c.door.up.Guard
	for now := time.Now(); ; now = time.Now() {
		wait, left := guard.Wait(c.addr, name, now), c.since.Add(c.door.o.AuthTimeout).Sub(now)
		if wait <= 0 {
			break
		}
		if !c.sleep(ctx, min(wait, left)) || wait >= left { // others' failures go on making it longer
			return false
		}
	}
	u := c.authenticate(name)
	if u == nil {
		guard.Failed(c.addr, name, time.Now())
		c.door.up.AMI.LoginsFailed.Add(1)
		c.door.up.Refuse(ctx, doorName, c.peer, name, "the login")
		c.sleep(ctx, failDelay)
		c.refuse("Authentication failed")
		return false
	}
	guard.Succeeded(c.addr, name)
	if !c.door.seat(c, name) {
		c.door.up.Refuse(ctx, doorName, c.peer, name, "one session more of the user, or from the address")
		c.refuse("Too many sessions")
		return false
	}
	c.enter(u)
	return true
}

// authenticate returns the user who the client proves to be, nil if it is none who may use this door (authenticate in
// manager.c: by challenge with AuthType MD5, else by the secret itself).
func (c *client) authenticate(name string) *users.User {
	u := c.door.up.Users.ByName(name)
	if u == nil {
		return nil
	}
	var proven bool
	if strings.EqualFold(c.get("AuthType"), "MD5") {
		proven = c.challenge != "" && u.HasKey(c.challenge, c.get("Key"))
	} else {
		proven = u.HasSecret(c.get("Secret"))
	}
	if !proven || !u.SeesNode(c.door.o.Node) {
		return nil
	}
	return u
}

// enter lets a user in. The answer is written before any event.
func (c *client) enter(u *users.User) {
	c.user.Store(u)
	c.recheck() // the users may just have been replaced
	c.log(slog.LevelInfo, "logged in", slog.String("user", u.Name()))
	c.view.mask = manager.All
	if mask := c.get("Events"); mask != "" {
		c.view.mask, _ = manager.ParseMask(mask)
	}
	c.answer("Success", "Message", "Authentication accepted")
	if c.view.mask&manager.System != 0 && u.SeesEvent("FullyBooted") {
		c.out = c.door.boot.append(c.out, time.Now(), c.door.up.Away(c.door.o.Node) == nil)
	}
	c.writer = newWriter(c, c.view)
	c.flush()
}

// sleep waits, unless ctx is done or the client cut off. It reports whether it waited in full.
func (c *client) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.closed:
	case <-ctx.Done():
	}
	return false
}

func logoff(c *client, _, _ context.Context) bool {
	c.answer("Goodbye", "Message", "Thanks for all the fish.")
	return false
}

// challenge is action_challenge.
func challenge(c *client, _, _ context.Context) bool {
	if !strings.EqualFold(c.get("AuthType"), "MD5") {
		c.refuse("Must specify AuthType")
		return true
	}
	if c.challenge == "" {
		c.challenge = strconv.Itoa(rand.IntN(1e9))
	}
	c.answer("Success", "Challenge", c.challenge)
	return true
}

func ping(c *client, _, _ context.Context) bool {
	c.head("Success")
	now := time.Now()
	c.out = fmt.Appendf(c.out, "Ping: Pong\r\nTimestamp: %d.%06d\r\n\r\n", now.Unix(), now.Nanosecond()/1000)
	return true
}

// events is action_events.
func events(c *client, _, _ context.Context) bool {
	mask, ok := manager.ParseMask(c.get("EventMask"))
	if !ok {
		c.refuse("Invalid event mask")
		return true
	}
	c.view.mask = mask
	said := "On"
	if mask == 0 {
		said = "Off"
	}
	c.answer("Success", "Events", said)
	return c.show()
}

// show tells the writer of another view. What came before is seen in the old one.
func (c *client) show() bool {
	v := c.view
	return c.send(turn{view: &v, settled: true})
}

// mostFilters is how many filters a session may have. Asterisk has no limit.
const mostFilters = 64

// filter is action_filter. Filters are never removed.
func filter(c *client, _, _ context.Context) bool {
	if !strings.EqualFold(c.get("Operation"), "Add") {
		c.refuse("Unknown operation")
		return true
	}
	f, refusal := manager.ParseFilter(c.get("MatchCriteria"), c.get("Filter"), true)
	switch {
	case refusal != "":
		c.refuse(refusal)
		return true
	case len(c.view.filters) == mostFilters:
		c.refuse("Too many filters")
		return true
	}
	c.view.filters = append(c.view.filters[:len(c.view.filters):len(c.view.filters)], f)
	c.answer("Success", "Message", "Success")
	return c.show()
}

// waitEvent is action_waitevent: on a session like this it waits for an event, of whatever kind, or for the client's next
// bytes. Events that come are between its answer and its end.
func waitEvent(c *client, ctx, _ context.Context) bool {
	var timeout time.Duration // 0: none
	if seconds, err := strconv.Atoi(strings.TrimSpace(c.get("Timeout"))); err == nil && seconds >= 0 {
		timeout = max(time.Duration(min(seconds, 1<<30))*time.Second, 1)
	}
	id := c.id()
	if !c.send(turn{runs: waiting}) || c.r == c.w && !c.await(ctx, timeout) {
		return false
	}
	c.answer("Success", "Message", "Waiting for Event completed.")
	if !c.send(turn{}) {
		return false
	}
	c.out = append(c.out, "Event: WaitEventComplete\r\n"...)
	if id != "" {
		c.out = append(c.out, "ActionID: "+id+"\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	return c.send(turn{settled: true})
}

// await waits for an event, for bytes, which it reads, or until timeout. It reports whether the client is still there.
func (c *client) await(ctx context.Context, timeout time.Duration) bool {
	cursor := c.door.up.Window.LatestOf(c.door.o.Node)
	defer cursor.Close()
	waiting, cancel := context.WithCancel(ctx)
	if timeout > 0 {
		waiting, cancel = context.WithTimeout(ctx, timeout)
	}
	over := make(chan struct{})
	c.r, c.w = 0, 0
	_ = c.conn.SetReadDeadline(time.Time{})
	go func() {
		defer close(over)
		one := make([]*stream.Entry, 1)
		_, _, _ = cursor.Next(waiting, one, 0)
		c.wake()
	}()
	n, err := c.conn.Read(c.buf[c.w:])
	c.w += n
	cancel()
	<-over
	c.deadline = true // fill removes it
	return n > 0 || errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil
}

// usualBanner is how Asterisk 22 greets.
const usualBanner = "Asterisk Call Manager/11.0.0"

// greet greets as the server does.
func (c *client) greet() {
	c.out = append(c.out, cmp.Or(c.door.up.Banner(c.door.o.Node), usualBanner)...)
	c.out = append(c.out, "\r\n"...)
}
