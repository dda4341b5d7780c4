package tail

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A slowWriter takes a while for each write.
type slowWriter struct{ io.Writer }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return w.Writer.Write(p)
}

// In a flood there is always one more event for a consumer that is slower. A tail ends all the same.
func TestTailEndsInAFlood(t *testing.T) {
	for _, size := range []string{"", "1M"} {
		t.Run("spool "+size, func(t *testing.T) {
			srv := runtest.Server(t, "pbx1")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				_ = srv.EmitRepeated(ctx, amitest.NewEvent("Tick", "Body", strings.Repeat("x", 500)), 1<<30, 50_000)
			}()
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Env: map[string]string{"TMPDIR": t.TempDir()}, Flags: run.Globals{Output: "jsonl"}})
			r.Stdout = slowWriter{r.Out}
			o := &options{length: flags.Duration{Value: 500 * time.Millisecond, Given: true}}
			if size != "" {
				if err := o.spool.Set(size); err != nil {
					t.Fatal(err)
				}
			}
			tailer, err := newTailer(r.Run, o, run.Endless)
			if err != nil {
				t.Fatal(err)
			}
			tailer.rings = buffers{events: 2000, bytes: 64 << 20}
			if err := tailer.openSpool(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- tailer.live(t.Context()) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("it goes on")
			}
			if r.Out.String() == "" {
				t.Error("nothing was printed")
			}
		})
	}
}
