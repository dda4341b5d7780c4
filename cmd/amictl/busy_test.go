package main

import "github.com/apntalk/amictl/pkg/ami/amitest"

// busy gives a server something of each part of its state: two who talk, one who waits in a queue, one in a conference, one
// who is parked; an endpoint, a hint, a trunk.
func busy(s *amitest.Server) {
	s.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"})
	s.State().AddExtension(amitest.Extension{Context: "default", Exten: "10", Hint: "PJSIP/alice"})
	s.SetRegistration("trunk", "sip:me@example.com", "sip:example.com", "Registered")
	bob := s.Dial("", amitest.Channel{Name: "PJSIP/bob", CallerIDNum: "20", CallerIDName: "Bob"})
	alice := s.Dial(bob.Uniqueid, amitest.Channel{Name: "PJSIP/alice", CallerIDNum: "10", CallerIDName: "Alice"})
	s.Answer(alice.Uniqueid)
	in := func(name string) string {
		c := s.Dial("", amitest.Channel{Name: "PJSIP/" + name})
		s.Answer(c.Uniqueid)
		return c.Uniqueid
	}
	s.JoinQueue("support", in("carol"))
	s.JoinConference("7000", in("dave"))
	s.Park(in("erin"))
}
