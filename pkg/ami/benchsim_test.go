package ami_test

import (
	"testing"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// simulator is a simulated Asterisk, which reads, checks, looks up and books each action, as a server must.
func simulator(b *testing.B) string {
	s := amitest.NewServer(amitest.WithUsers(amitest.User{Name: "u", Secret: "s", Read: amitest.ClassAll, Write: amitest.ClassAll}))
	b.Cleanup(s.Close)
	return s.Addr()
}

func BenchmarkActionsBatchSimulator(b *testing.B)         { benchBatch(b, simulator(b), borrowed) }
func BenchmarkReferenceRawPipelineSimulator(b *testing.B) { benchRawPipeline(b, simulator(b)) }
