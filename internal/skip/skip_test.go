package skip

import (
	"runtime"
	"testing"
)

// ended is a test that notes how it was ended.
type ended struct {
	testing.TB
	how string
}

func (e *ended) Helper()      {}
func (e *ended) Fatal(...any) { e.how = "failed"; runtime.Goexit() }
func (e *ended) Skip(...any)  { e.how = "skipped"; runtime.Goexit() }

func TestLoudly(t *testing.T) {
	for _, tt := range []struct{ ci, required, want string }{
		{"", "", "skipped"}, {"false", "0", "skipped"}, {"true", "", "failed"}, {"", "1", "failed"},
	} {
		t.Setenv("CI", tt.ci)
		t.Setenv("AMICTL_REQUIRED", tt.required)
		e := &ended{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Loudly(e, "there is none")
		}()
		<-done
		if e.how != tt.want {
			t.Errorf("CI=%q AMICTL_REQUIRED=%q: it %s, want %s", tt.ci, tt.required, e.how, tt.want)
		}
	}
}
