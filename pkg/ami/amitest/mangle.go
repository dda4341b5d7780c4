package amitest

import (
	"bytes"
	"strconv"
)

// foreignID is the ActionID of an answer that nobody here asked for.
const foreignID = "somebody-else-1"

// before lets the faults at work meet an action before it runs. It says whether to
// run it, and whether the session goes on.
func (s *session) before() (run, alive bool) {
	p := s.srv.faults.Load()
	if p == nil {
		return true, true
	}
	isLogin := bytes.EqualFold(s.req.action, []byte("Login"))
	for _, a := range p.list {
		switch a.Kind {
		case faultSlow:
			if a.meets(s.req.action) && a.fire() {
				s.w.Sleep(a.delay())
			}
		case faultSlowLogin:
			if isLogin && a.fire() {
				s.w.Sleep(a.For)
			}
		case faultRefuseLogin:
			if isLogin && a.fire() {
				s.srv.book.count(func(l *Ledger) *uint64 { return &l.LoginsRefused })
				s.w.Sleep(s.srv.cfg.failDelay)
				s.w.Error("Authentication failed")
				return false, false
			}
		case faultRefuse:
			if !isLogin && a.meets(s.req.action) && a.fire() {
				s.w.Error(a.Message)
				return false, true
			}
		case faultStall, faultHalfOpen, faultReset, faultFin, faultSlowReader:
			if a.Action != "" && a.meets(s.req.action) && a.fire() {
				s.suffer(a.Fault)
				if s.waitThawed(); s.isDead() {
					return false, false
				}
			}
		}
	}
	return true, true
}

// after lets the faults at work change the answer that the action just wrote:
// what lies in the batch from byte and mark on.
func (s *session) after(from, mark int) {
	p := s.srv.faults.Load()
	if p == nil || len(s.batch.b) == from {
		return
	}
	if bytes.EqualFold(s.req.action, []byte("Login")) {
		return // a session that cannot log in shows nothing of the rest
	}
	for _, a := range p.list {
		if !a.mangles() || a.Now || !a.meets(s.req.action) || !a.fire() {
			continue
		}
		answer := s.batch.cut(from, mark)
		s.mangle(a, &answer)
	}
}

// mangles says whether the fault changes answers.
func (a *armed) mangles() bool {
	switch a.Kind {
	case faultDup, faultForeign, faultWrongID, faultNoID, faultDrop, faultReorder,
		faultTruncate, faultGarbage, faultOversize:
		return true
	}
	return false
}

// cut takes what lies from a byte and a mark on out of the buffer, as a copy.
func (o *outbuf) cut(from, mark int) outbuf {
	var c outbuf
	c.b = append(c.b, o.b[from:]...)
	for _, m := range o.marks[mark:] {
		m.end -= from
		c.marks = append(c.marks, m)
	}
	o.b, o.marks = o.b[:from], o.marks[:mark]
	return c
}

// junk appends bytes that count as nothing.
func (o *outbuf) junk(b []byte) {
	o.b = append(o.b, b...)
	o.close(markJunk)
}

// mangle writes the answer back to the batch the way the fault wants it.
func (s *session) mangle(a *armed, answer *outbuf) {
	o := &s.batch
	id := s.req.id
	switch a.Kind {
	case faultDrop:
	case faultDup:
		copied := append([]byte(nil), answer.b...)
		o.move(answer)
		o.junk(copied)
	case faultForeign:
		o.junk([]byte("Response: Success\r\nActionID: " + orElse(a.Message, foreignID) + "\r\nMessage: Not yours\r\n\r\n"))
		o.move(answer)
	case faultWrongID:
		answer.replaceID(id, append(append([]byte("ActionID: "), id...), "-wrong\r\n"...))
		o.move(answer)
	case faultNoID:
		answer.replaceID(id, nil)
		o.move(answer)
	case faultReorder:
		s.shuffle(a, answer)
	case faultTruncate:
		keep := a.Bytes
		if keep == 0 || keep >= len(answer.b) {
			keep = len(answer.b) / 2
		}
		o.junk(ended(answer.b[:keep], a.Raw))
	case faultGarbage:
		o.junk(ended(a.draw(a.Bytes), a.Raw))
		o.move(answer)
	case faultOversize:
		filler := append([]byte("Filler: "), bytes.Repeat([]byte{'x'}, a.Bytes)...)
		filler = append(filler, '\r', '\n')
		if i := bytes.Index(answer.b, packetEnd); i >= 0 {
			answer.splice(i+2, 0, filler)
		}
		o.move(answer)
	}
}

// ended closes broken framing with a blank line, unless raw. Bytes that must not
// close it by themselves keep no line end.
func ended(b []byte, raw bool) []byte {
	b = append([]byte(nil), b...)
	if raw {
		return b
	}
	return append(b, packetEnd...)
}

// replaceID puts something else in place of every ActionID line.
func (o *outbuf) replaceID(id, with []byte) {
	if len(id) == 0 {
		return
	}
	line := append(append([]byte("ActionID: "), id...), '\r', '\n')
	for from := 0; ; {
		i := bytes.Index(o.b[from:], line)
		if i < 0 {
			return
		}
		o.splice(from+i, len(line), with)
		from += i + len(with)
	}
}

// splice puts with in place of n bytes at i and moves the marks behind.
func (o *outbuf) splice(i, n int, with []byte) {
	b := make([]byte, 0, len(o.b)-n+len(with))
	b = append(append(append(b, o.b[:i]...), with...), o.b[i+n:]...)
	o.b = b
	for k := range o.marks {
		if o.marks[k].end > i {
			o.marks[k].end += len(with) - n
		}
	}
}

// shuffle keeps answers back until there are enough of them, or some time has
// passed, and sends them in another order.
func (s *session) shuffle(a *armed, answer *outbuf) {
	s.mu.Lock()
	s.shuffled = append(s.shuffled, *answer)
	n := len(s.shuffled)
	s.mu.Unlock()
	switch n {
	case a.Window:
		s.deal(a, &s.batch)
	case 1:
		s.srv.after(a.For, func() {
			var late outbuf
			s.deal(a, &late)
			s.inject(&late)
		})
	}
}

// deal moves the answers kept back to an output, in random order.
func (s *session) deal(a *armed, to *outbuf) {
	s.mu.Lock()
	answers := s.shuffled
	s.shuffled = nil
	s.mu.Unlock()
	a.mu.Lock()
	a.rng.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	a.mu.Unlock()
	for i := range answers {
		to.move(&answers[i])
	}
}

// inject puts output of another goroutine into the session's, as an event is.
func (s *session) inject(o *outbuf) {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return
	}
	to := &s.out
	if s.busy {
		to = &s.held
	}
	to.move(o)
	s.mu.Unlock()
	s.wake()
}

// burst is a packet of its own for every session: garbage, a cut or over-size
// packet, an answer to nobody, or a value with a newline.
func (s *Server) burst(f Fault) {
	var b []byte
	switch f.Kind {
	case faultGarbage:
		rng := s.cfg.rng(uint64(f.Bytes))
		for range f.Bytes {
			b = append(b, byte(rng.IntN(256)))
		}
		b = ended(b, f.Raw)
	case faultTruncate:
		b = []byte("Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/100-00000001\r\nChannelState: 6\r\nChannelSta")
		if f.Bytes > 0 && f.Bytes < len(b) {
			b = b[:f.Bytes]
		}
		b = ended(b, f.Raw)
	case faultOversize:
		b = append(b, "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: Oversize\r\nFiller: "...)
		b = append(append(b, bytes.Repeat([]byte{'x'}, f.Bytes)...), packetEnd...)
	case faultForeign:
		b = []byte("Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: " + orElse(f.Message, foreignID) +
			"\r\nResponse: Failure\r\nChannel: PJSIP/nobody\r\nReason: 0\r\nUniqueid: <unknown>\r\n\r\n")
	case faultNewline:
		b = []byte("Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: Newline" + strconv.Itoa(len(f.Message)) +
			"\r\nBody: " + f.Message + "\r\nAfter: x\r\n\r\n")
	}
	for _, sess := range s.snapshot() {
		if sess.isAuthed() {
			var o outbuf
			o.junk(b)
			sess.inject(&o)
		}
	}
}
