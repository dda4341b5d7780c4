package ami_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestOverflowIsCountedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, _ := one(t)
		defer f.close()
		s := f.subscribe(ami.SubscribeOptions{RingEvents: 10})
		base := int(srv.Emit(ticks(25, 10)...)) - 25
		synctest.Wait()
		wantStory(t, drain(s), "overflow 15", fmt.Sprintf("%d-%d", base+16, base+25))
		srv.Emit(ticks(10, 10)...)
		synctest.Wait()
		wantStory(t, drain(s), fmt.Sprintf("%d-%d", base+26, base+35))
		srv.Emit(ticks(11, 10)...)
		synctest.Wait()
		wantStory(t, drain(s), "overflow 1", fmt.Sprintf("%d-%d", base+37, base+46))
		if st := wantSubscription(t, s); st.Dropped != 16 || st.Delivered != 30 || st.PeakEvents != 10 {
			t.Errorf("stats %+v", st)
		}
	})
}

// An overflow behind a disconnect, and a disconnect behind an overflow, keep their places and their counts.
func TestGapsKeepTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{Rand: func() float64 { return 0.5 }})
		defer f.close()
		srv := f.serve("pbx", amitest.WithEventNumbers())
		f.add("pbx")
		f.ready(time.Second)
		time.Sleep(time.Minute) // stable: the backoff is 50 ms
		s := f.subscribe(ami.SubscribeOptions{RingEvents: 10})
		a := int(srv.Emit(ticks(15, 10)...))
		synctest.Wait()
		f.net.Reset("pbx")
		time.Sleep(50 * time.Millisecond)
		f.ready(time.Second)
		synctest.Wait()
		b := int(srv.Emit(ticks(4, 10)...))
		synctest.Wait()
		// Ten of fifteen, then the last four evicted four of them.
		wantStory(t, drain(s), "overflow 9", fmt.Sprintf("%d-%d", a-5, a), "disconnect 50ms", fmt.Sprintf("%d-%d", b-3, b))

		c := int(srv.Emit(ticks(3, 10)...))
		synctest.Wait()
		f.net.Reset("pbx")
		time.Sleep(20 * time.Second)
		f.ready(time.Second)
		synctest.Wait()
		d := int(srv.Emit(ticks(12, 10)...))
		synctest.Wait()
		evs := drain(s)
		story := tell(evs)
		if len(story) != 3 || story[0] != "overflow 5" || !strings.HasPrefix(story[1], "disconnect ") || story[2] != fmt.Sprintf("%d-%d", d-9, d) {
			t.Errorf("stream %q; events up to %d, then %d", story, c, d)
		}
		if st := wantSubscription(t, s); st.Dropped != 14 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestDisconnectIsToldAtOnceAndAgainOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		s := f.subscribe(ami.SubscribeOptions{})
		srv.Emit(ticks(1, 1)...)
		if _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		srv.Close()
		lost := time.Now()
		ev, err := s.Next(t.Context())
		if err != nil || ev.Gap == nil || ev.Gap.Reason != ami.GapDisconnect || !ev.Gap.Since.Equal(lost) || !ev.Gap.Until.IsZero() || ev.Node != "pbx" {
			t.Fatalf("got %+v, %v; wanted the disconnect at once", ev.Gap, err)
		}
		if !time.Now().Equal(lost) {
			t.Errorf("told after %v", time.Since(lost))
		}
		time.Sleep(time.Minute)
		f.serve("pbx", amitest.WithEventNumbers())
		ev, err = s.Next(t.Context())
		if err != nil || ev.Gap == nil || !ev.Gap.Since.Equal(lost) || !ev.Gap.Until.Equal(time.Now()) {
			t.Fatalf("got %+v, %v; wanted the resume at once", ev.Gap, err)
		}
		f.ready(time.Second)
		if s := n.Stats(); s.Lost != 1 || s.Sessions != 2 {
			t.Errorf("sessions %d, lost %d", s.Sessions, s.Lost)
		}
		// A failed dial is no disconnect, and a subscriber that came during the absence missed nothing.
		if evs := drain(s); len(evs) != 0 {
			t.Errorf("more came: %q", tell(evs))
		}
	})
}

func TestSubscriberThatCameLaterHasNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, _ := one(t)
		defer f.close()
		time.Sleep(time.Minute)
		srv.Close()
		time.Sleep(time.Second)
		s := f.subscribe(ami.SubscribeOptions{})
		srv = f.serve("pbx", amitest.WithEventNumbers())
		f.ready(time.Minute)
		synctest.Wait()
		n := srv.Emit(ticks(1, 1)...)
		synctest.Wait()
		wantStory(t, drain(s), fmt.Sprintf("%d-%d", n, n))
	})
}

// A node that flaps a thousand times while nobody reads leaves one gap from the first loss to the last resume.
func TestGapsAreBoundedUnderFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx", amitest.WithEventNumbers())
		n := f.add("pbx")
		f.ready(time.Second)
		s := f.subscribe(ami.SubscribeOptions{})
		time.Sleep(time.Minute)
		lost := time.Now()
		for range 1000 {
			f.net.Reset("pbx")
			time.Sleep(ami.DefaultStableAfter + time.Second)
		}
		f.ready(time.Minute)
		synctest.Wait()
		evs := drain(s)
		if len(evs) != 1 || evs[0].Gap == nil || !evs[0].Gap.Since.Equal(lost) || evs[0].Gap.Until.IsZero() {
			t.Errorf("after 1,000 disconnects %d items: %q", len(evs), tell(evs))
		}
		if st := n.Stats(); st.Lost != 1000 {
			t.Errorf("lost %d sessions", st.Lost)
		}
	})
}
