package health

import (
	"fmt"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A call is what shares a Linkedid, however many channels it has; Asterisk's own number of "calls" is that of channels.
func TestCountChannels(t *testing.T) {
	for name, test := range map[string]struct {
		linked          []string // a channel each
		calls, channels int
	}{
		"none":             {nil, 0, 0},
		"one leg":          {[]string{"a"}, 1, 1},
		"two calls":        {[]string{"a", "b", "a", "b", "a"}, 2, 5},
		"no such header":   {[]string{"", "", ""}, -1, 3},
		"missing once":     {[]string{"a", "", "b"}, -1, 3},
		"many of one call": {make3000("x"), 1, 3000},
	} {
		t.Run(name, func(t *testing.T) {
			srv := amitest.NewServer()
			t.Cleanup(srv.Close)
			srv.Handle("CoreShowChannels", func(_ *amitest.Request, w *amitest.ResponseWriter) {
				w.ListStart("Channels will follow")
				for i, id := range test.linked {
					headers := []string{"Channel", fmt.Sprintf("PJSIP/%d", i), "Uniqueid", fmt.Sprint(i)}
					if id != "" {
						headers = append(headers, "Linkedid", id)
					}
					w.Item("CoreShowChannel", headers...)
				}
				w.ListEnd("CoreShowChannelsComplete")
			})
			c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			calls, channels, err := countChannels(t.Context(), c)
			if calls != test.calls || channels != test.channels || err != nil {
				t.Errorf("%d calls, %d channels, %v; want %d and %d", calls, channels, err, test.calls, test.channels)
			}
		})
	}
}

func make3000(id string) (all []string) {
	for range 3000 {
		all = append(all, id)
	}
	return all
}
