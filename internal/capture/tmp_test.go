package capture

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

func BenchmarkTmp(b *testing.B) {
	text, _ := os.ReadFile("/tmp/k/files-cap.raw")
	text = text[:20000000]
	b.Run("ref", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			refCount(&pieces{bytes.NewReader(text), 65536})
		}
	})
	b.Run("new", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			count(b, &pieces{bytes.NewReader(text), 65536})
		}
	})
}

func refCount(in io.Reader) (k int) {
	d := wire.NewDecoder(wire.Limits{})
	for {
		n, err := in.Read(d.Space())
		d.Wrote(n)
		for {
			if _, err := d.Next(); err != nil {
				break
			}
			k++
		}
		if err != nil {
			return k
		}
	}
}
