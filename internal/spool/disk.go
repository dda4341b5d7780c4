package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// A segment is a file. It is deleted when all of its blocks have been read.
type segment struct {
	file   file
	size   int64
	blocks []place
	read   int // of blocks
}

// A place is a block on disk.
type place struct {
	segment *segment
	at      int64
	size    int // bytes
	records int
	number  uint64
}

// A disk is the segments, in order. Its methods are called under the spool's lock, but for write and read, which do the I/O.
type disk struct {
	dir      string
	limit    int64
	shared   *Limit // nil: there is none
	create   func(dir string) (file, error)
	segments []*segment
	used     int64 // bytes of all segments, those of blocks that were read, and of what is being written, included
	unread   int   // blocks
	next     uint64
	writing  bool // the open block is on its way
	cleared  bool // for good
}

// segmentSize is from which size on a segment is followed by another: an eighth of the limit, so that little of it is taken by
// what has been read, at most 16 MiB, but never so little that there are more than some 256.
func (d *disk) segmentSize() int64 { return max(min(d.limit/8, 16<<20), d.limit/256) }

func (d *disk) empty() bool { return d.unread == 0 && !d.writing }

// reserve returns where a block is to go. A place without a segment is in a new one.
func (d *disk) reserve(b *block) (place, error) {
	p := place{size: b.written, records: b.records, number: d.next}
	if d.used+int64(p.size) > d.limit || !d.shared.take(int64(p.size)) {
		return place{}, ErrFull
	}
	d.used += int64(p.size)
	d.writing = true
	if last := len(d.segments) - 1; last >= 0 && d.segments[last].size < d.segmentSize() {
		p.segment = d.segments[last]
		p.at = p.segment.size
	}
	return p, nil
}

// write writes a block to its place, which has a segment then unless there is an error.
func (d *disk) write(p *place, b *block) error {
	seg := p.segment
	if seg == nil {
		f, err := d.create(d.dir)
		if err != nil {
			return err
		}
		seg = &segment{file: f}
	}
	if _, err := seg.file.WriteAt(b.sign(p.number), p.at); err != nil {
		if p.segment == nil {
			_ = seg.file.Close()
		}
		return err
	}
	p.segment = seg
	return nil
}

// wrote books what write did.
func (d *disk) wrote(p place, err error) error {
	d.writing = false
	if err != nil {
		if !d.cleared {
			d.free(int64(p.size))
		}
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	seg := p.segment
	if seg.size == 0 {
		d.segments = append(d.segments, seg)
	}
	seg.blocks = append(seg.blocks, p)
	seg.size += int64(p.size)
	d.unread++
	d.next++
	return nil
}

// first returns the oldest block; there must be one.
func (d *disk) first() place {
	for _, seg := range d.segments {
		if seg.read < len(seg.blocks) {
			return seg.blocks[seg.read]
		}
	}
	panic("spool: nothing on disk")
}

// read reads a block.
func (d *disk) read(p place, b *block) error {
	text := b.text[:p.size]
	if _, err := p.segment.file.ReadAt(text, p.at); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return check(text, p.number)
}

// drop takes the oldest block out.
func (d *disk) drop(p place) {
	p.segment.read++
	d.unread--
}

// trim takes the segments out of which all is read, for the caller to close when it holds the lock no longer.
func (d *disk) trim() (emptied []*segment) {
	for len(d.segments) > 0 {
		seg := d.segments[0]
		if seg.read < len(seg.blocks) || d.writing && len(d.segments) == 1 {
			break
		}
		d.free(seg.size)
		emptied = append(emptied, seg)
		d.segments = d.segments[1:]
	}
	return emptied
}

// free books that files take so many bytes less.
func (d *disk) free(bytes int64) {
	d.used -= bytes
	d.shared.give(bytes)
}

// clear takes all segments out, for good. A block that is being written comes out with the next call.
func (d *disk) clear() []*segment {
	all := d.segments
	d.free(d.used)
	d.segments, d.unread, d.cleared = nil, 0, true
	return all
}

func closeAll(segments []*segment) {
	for _, seg := range segments {
		_ = seg.file.Close()
	}
}

// A file is where a segment's blocks are. Closing it deletes it.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// A tempFile has no name while it is used, where the system allows that: it then cannot outlive the process.
type tempFile struct {
	*os.File
	named bool
}

func newFile(dir string) (file, error) {
	f, err := os.CreateTemp(dir, "amictl-spool-") // of mode 600
	if err != nil {
		return nil, err
	}
	return &tempFile{f, os.Remove(f.Name()) != nil}, nil
}

func (f *tempFile) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// DefaultDir is $TMPDIR, or /var/tmp, as /tmp is in memory on many hosts, or else the system's folder for temporary files.
func DefaultDir() string {
	if os.Getenv("TMPDIR") == "" {
		if info, err := os.Stat(largeFiles); err == nil && info.IsDir() {
			return largeFiles
		}
	}
	return os.TempDir()
}

const largeFiles = "/var/tmp" // where the Filesystem Hierarchy Standard has what is temporary and large
