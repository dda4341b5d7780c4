package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func mustNew(t *testing.T, o Options) *Spool {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// record makes the record of a number: the number, and bytes that follow from it.
func record(n, size int) []byte {
	r := binary.LittleEndian.AppendUint64(nil, uint64(n))
	return append(r, bytes.Repeat([]byte{byte(n)}, size)...)
}

// put appends records until one finds no room, on disk if it may, and returns the number of the next one.
func put(t *testing.T, s *Spool, from, to, size int) int {
	t.Helper()
	for n := from; n < to; n++ {
		err := s.Append(record(n, size))
		if errors.Is(err, ErrMemory) {
			if err := s.Spill(); errors.Is(err, ErrFull) {
				return n
			} else if err != nil {
				t.Fatal(err)
			}
			err = s.Append(record(n, size))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Flush()
	return to
}

// want takes the records from one number up to another.
func want(t *testing.T, s *Spool, from, to, size int) {
	t.Helper()
	for n := from; n < to; n++ {
		got, ok, err := s.Poll()
		if !ok || !bytes.Equal(got, record(n, size)) {
			t.Fatalf("record %d: got %d bytes, %v, %v", n, len(got), ok, err)
		}
	}
	if got, ok, err := s.Poll(); ok || err != nil {
		t.Fatalf("behind the last: %d bytes, %v, %v", len(got), ok, err)
	}
}

// files are those in a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// Records of all sizes come back in order, whether they fit in memory, go to disk, or are larger than a block, and twice: what
// was emptied is used again.
func TestOrder(t *testing.T) {
	for _, size := range []int{0, 1, 500, blockSize - blockHead - recordHead - 8, blockSize, 3 * blockSize} {
		for _, count := range []int{1, 50, 2000} {
			if count*size > 64<<20 {
				continue
			}
			t.Run(fmt.Sprintf("%d of %d bytes", count, size), func(t *testing.T) {
				s := mustNew(t, Options{Disk: 1 << 30, Memory: 256 << 10})
				for range 2 {
					if n := put(t, s, 0, count, size); n != count {
						t.Fatalf("full at %d", n)
					}
					if size*count > 1<<20 && s.Stats().Disk == 0 {
						t.Error("nothing is on disk: this test shows nothing")
					}
					want(t, s, 0, count, size)
					if st := s.Stats(); st.Disk != 0 || st.Waiting != 0 || st.Lost != 0 {
						t.Errorf("behind the last: %+v", st)
					}
				}
			})
		}
	}
}

// What was not flushed may wait, and what was flushed is there, however little it is.
func TestFlush(t *testing.T) {
	s := mustNew(t, Options{Disk: LeastDisk})
	for n := range 100 {
		if err := s.Append(record(n, 10)); err != nil {
			t.Fatal(err)
		}
		s.Flush()
		want(t, s, n, n+1, 10)
	}
}

// The bound is never passed. What is refused is not lost, and goes in once there is room.
func TestBound(t *testing.T) {
	for _, limit := range []int64{LeastDisk, 5 << 20} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := mustNew(t, Options{Disk: limit, Memory: blockSize})
			const size = 1000
			read, written := 0, 0
			for round := range 20 {
				written = put(t, s, written, written+20_000, size)
				if st := s.Stats(); st.Disk > limit || st.PeakDisk > limit || round == 0 && st.Disk < limit-2*blockSize {
					t.Fatalf("%+v, with a bound of %d", st, limit)
				}
				if err := s.Spill(); !errors.Is(err, ErrFull) {
					t.Fatalf("a full spool: %v", err)
				}
				for range 700 {
					got, ok, err := s.Poll()
					if !ok || !bytes.Equal(got, record(read, size)) {
						t.Fatalf("record %d: %v, %v", read, ok, err)
					}
					read++
				}
			}
			if written < 13_000 {
				t.Errorf("only %d records went in: what was read left no room", written)
			}
			want(t, s, read, written, size)
		})
	}
}

// A file has no name where the system allows that, is for its owner alone, and is gone once its records are read, or the spool
// is closed.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s := mustNew(t, Options{Dir: dir, Disk: 64 << 20, Memory: blockSize})
	put(t, s, 0, 10_000, 1000)
	f := s.disk.segments[0].file.(*tempFile)
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("files have names: %q", left)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("a file has mode %v", info.Mode())
		}
	}
	want(t, s, 0, 10_000, 1000)
	if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file of what was read: %v", err)
	}
	put(t, s, 0, 10_000, 1000)
	f = s.disk.segments[0].file.(*tempFile)
	s.Close()
	s.Close()
	if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file of a closed spool: %v", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("files are left: %q", left)
	}
	if err := s.Append(record(0, blockSize)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append to a closed one: %v", err)
	}
	if err := s.Spill(); !errors.Is(err, ErrClosed) {
		t.Errorf("Spill of a closed one: %v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next of a closed one: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	if _, err := New(Options{Dir: t.TempDir(), Disk: LeastDisk - 1}); err == nil {
		t.Error("a bound that is too small was taken")
	}
	if _, err := New(Options{Dir: filepath.Join(t.TempDir(), "none"), Disk: LeastDisk}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// A badFile fails, or changes what was written.
type badFile struct {
	file
	fault *fault
}

type fault struct {
	write  error        // of each write
	damage func([]byte) // what is read
	read   error        // of each read
	torn   bool         // a write that stops half way
}

func (b badFile) WriteAt(p []byte, at int64) (int, error) {
	if b.fault.write != nil {
		n, _ := b.file.WriteAt(p[:len(p)/2], at)
		return n, b.fault.write
	}
	if b.fault.torn {
		_, _ = b.file.WriteAt(p[:len(p)/2], at)
		return len(p), nil
	}
	return b.file.WriteAt(p, at)
}

func (b badFile) ReadAt(p []byte, at int64) (int, error) {
	if b.fault.read != nil {
		return 0, b.fault.read
	}
	n, err := b.file.ReadAt(p, at)
	if b.fault.damage != nil {
		b.fault.damage(p)
	}
	return n, err
}

// broken returns a spool whose files have a fault, while it is set.
func broken(t *testing.T) (*Spool, *fault) {
	s := mustNew(t, Options{Disk: 64 << 20, Memory: blockSize})
	bad := new(fault)
	s.disk.create = func(dir string) (file, error) {
		f, err := newFile(dir)
		return badFile{f, bad}, err
	}
	return s, bad
}

// A disk that takes no more is as a full spool, with its reason: nothing is lost, and when it takes more again it goes on.
func TestDiskThatTakesNoMore(t *testing.T) {
	for name, count := range map[string]int{"from the start": 0, "later": 3000} {
		t.Run(name, func(t *testing.T) {
			s, bad := broken(t)
			n := put(t, s, 0, count, 1000)
			bad.write = &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
			n = put(t, s, n, 10_000, 1000)
			for range 3 {
				if err := s.Spill(); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("Spill: %v", err)
				}
			}
			if n < count || n > count+2*blockSize/1000 {
				t.Fatalf("%d records were taken", n)
			}
			bad.write = nil
			if m := put(t, s, n, 10_000, 1000); m != 10_000 {
				t.Fatalf("full at %d", m)
			}
			want(t, s, 0, 10_000, 1000)
		})
	}
}

// What the disk does not give back as it was is named, with how many records it was; what is behind it is read all the same.
func TestDiskThatForgets(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fault
		is    error
	}{
		"a bit":            {fault{damage: func(p []byte) { p[len(p)/2] ^= 1 }}, errCorrupt},
		"the head":         {fault{damage: func(p []byte) { p[0] ^= 0x80 }}, errCorrupt},
		"another block":    {fault{damage: func(p []byte) { copy(p, moved(p)) }}, errCorrupt},
		"nothing but zero": {fault{damage: func(p []byte) { clear(p) }}, errCorrupt},
		"cannot be read":   {fault{read: syscall.EIO}, syscall.EIO},
		"ends too early":   {fault{read: io.EOF}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			s, bad := broken(t)
			const count, size = 3000, 1000
			put(t, s, 0, count, size)
			next, lost := 0, uint64(0)
			take := func(most int) {
				for range most {
					got, ok, err := s.Poll()
					if failed := (*LostError)(nil); errors.As(err, &failed) {
						if !errors.Is(err, tt.is) {
							t.Fatalf("it says %v", err)
						}
						next, lost = next+int(failed.Records), lost+failed.Records
						*bad = fault{}
						continue
					}
					if !ok {
						return
					}
					if !bytes.Equal(got, record(next, size)) {
						t.Fatalf("not record %d", next)
					}
					next++
				}
			}
			take(500)
			*bad = tt.fault
			take(count)
			if next != count || lost == 0 || lost > 2*blockSize/size || s.Stats().Lost != lost {
				t.Errorf("%d records, %d of them lost: %+v", next, lost, s.Stats())
			}
		})
	}
}

// moved is a block with another number, and a checksum that is right.
func moved(p []byte) []byte {
	b := &block{text: bytes.Clone(p), written: len(p)}
	return b.sign(binary.LittleEndian.Uint64(p[4:]) + 1)
}

// A write that stopped half way although the disk said that it was done is found when it is read: other records stand there, or
// the file ends.
func TestTornWrite(t *testing.T) {
	s, bad := broken(t)
	put(t, s, 0, 1000, 1000)
	bad.torn = true
	if n := put(t, s, 1000, 1100, 1000); n != 1100 {
		t.Fatal("full")
	}
	var err error
	for {
		var ok bool
		if _, ok, err = s.Poll(); !ok {
			break
		}
	}
	if !errors.As(err, new(*LostError)) || !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errCorrupt) {
		t.Errorf("a torn write: %v", err)
	}
}

// One writer and one reader at once, each as fast as it goes or with rests, lose nothing and keep the order.
func TestWriterAndReader(t *testing.T) {
	for name, tt := range map[string]struct{ write, read time.Duration }{
		"both fast":     {},
		"a slow reader": {read: time.Millisecond},
		"a slow writer": {write: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustNew(t, Options{Disk: LeastDisk, Memory: 2 * blockSize})
			const count, most = 30_000, 3000
			go func() {
				rng := rand.New(rand.NewPCG(1, 2))
				for n := range count {
					for err := s.Append(record(n, n%most)); err != nil; err = s.Append(record(n, n%most)) {
						switch {
						case !errors.Is(err, ErrMemory):
							t.Error(err)
							return
						case rng.IntN(2) == 0: // sometimes it would rather wait for memory
							err = s.AwaitRoom(t.Context(), time.Millisecond)
						default:
							if err = s.Spill(); errors.Is(err, ErrFull) {
								err = s.AwaitRoom(t.Context(), time.Second)
							}
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
					if n%97 == 0 {
						s.Flush()
						time.Sleep(tt.write)
					}
				}
				s.End()
			}()
			for n := range count {
				got, err := s.Next(t.Context())
				if err != nil || !bytes.Equal(got, record(n, n%most)) {
					t.Fatalf("record %d: %d bytes, %v", n, len(got), err)
				}
				if n%197 == 0 {
					time.Sleep(tt.read)
				}
			}
			if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
			if st := s.Stats(); st.PeakDisk > LeastDisk || st.Disk != 0 || tt.read > 0 && st.PeakDisk == 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Whoever waits is told of the end and of Close.
func TestWaiting(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*Spool)
		want error
	}{"End": {(*Spool).End, io.EOF}, "Close": {(*Spool).Close, ErrClosed}} {
		t.Run(name, func(t *testing.T) {
			s := mustNew(t, Options{Disk: LeastDisk})
			got := make(chan error)
			go func() { _, err := s.Next(t.Context()); got <- err }()
			time.Sleep(time.Millisecond)
			tt.end(s)
			if err := <-got; !errors.Is(err, tt.want) {
				t.Errorf("Next returned %v, want %v", err, tt.want)
			}
		})
	}
}

// BenchmarkSpool is a record of 600 bytes in and out, through memory and through disk.
func BenchmarkSpool(b *testing.B) {
	for name, memory := range map[string]int{"memory": 64 << 20, "disk": 1} {
		b.Run(name, func(b *testing.B) {
			s, err := New(Options{Disk: 1 << 30, Memory: memory})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			r := record(1, 592)
			b.SetBytes(600)
			for n := range b.N {
				for err := s.Append(r); err != nil; err = s.Append(r) {
					if err := s.Spill(); err != nil {
						b.Fatal(err)
					}
				}
				if n%10_000 == 9999 || n == b.N-1 {
					s.Flush()
					for ok := true; ok; {
						_, ok, _ = s.Poll()
					}
				}
			}
		})
	}
}

// Spools that share a limit have no more than it together, and what one has emptied or given up is there for the other.
func TestSharedLimit(t *testing.T) {
	limit := NewLimit(4 << 20)
	a, b := mustNew(t, Options{Disk: 1 << 30, Shared: limit}), mustNew(t, Options{Disk: 1 << 30, Shared: limit})
	const size, most = 1000, 100_000
	n := put(t, a, 0, most, size)
	if used := a.Stats().Disk; n == most || used > 4<<20 || used < 4<<20-blockSize {
		t.Fatalf("%d records are in it, and %d bytes on disk", n, used)
	}
	small := put(t, b, 0, most, size)
	if used := b.Stats().Disk; small == most || used > blockSize {
		t.Fatalf("the other has %d bytes of a disk that has no more", used)
	}
	want(t, a, 0, n, size)
	if m := put(t, b, small, most, size); m < n-small-200 {
		t.Errorf("%d records found room where there were %d", m, n)
	}
	b.Close()
	if left := limit.left.Load(); left != 4<<20 {
		t.Errorf("%d bytes are left of an unused limit", left)
	}
}
