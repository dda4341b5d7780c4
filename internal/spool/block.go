package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
)

const (
	blockSize  = 64 << 10 // of a block in memory and on disk, unless one record is larger
	blockHead  = 12       // its checksum, and its number among those that were written
	recordHead = 4        // a record's length
	mostFree   = 8        // emptied blocks that are kept
)

// A block holds records in a row. What is published does not change any more, so that the reader reads it while the writer adds
// to it.
type block struct {
	text      []byte // head, then records; of fixed length
	published int    // bytes that the reader may see
	shown     int    // records in them
	entered   int    // of these, those that the reader has come to
	sealed    bool   // nothing is added any more
	loaded    bool   // from disk

	// The writer's own.
	written int // bytes
	records int
}

func newBlock(record int) *block {
	b := &block{text: make([]byte, max(blockSize, blockHead+recordHead+record))}
	b.reset()
	return b
}

func (b *block) reset() { *b = block{text: b.text, published: blockHead, written: blockHead} }

// fits reports whether a record of that size can be added.
func (b *block) fits(size int) bool { return len(b.text)-b.written >= recordHead+size }

func (b *block) add(record []byte) {
	binary.LittleEndian.PutUint32(b.text[b.written:], uint32(len(record)))
	b.written += recordHead + copy(b.text[b.written+recordHead:], record)
	b.records++
}

// record returns the record at a place, and the place of the next one.
func (b *block) record(at int) (record []byte, next int) {
	size := int(binary.LittleEndian.Uint32(b.text[at:]))
	next = at + recordHead + size
	return b.text[at+recordHead : next : next], next
}

// castagnoli is the polynomial for which processors have an instruction.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// sign writes the head, and returns what goes to disk.
func (b *block) sign(number uint64) []byte {
	text := b.text[:b.written]
	binary.LittleEndian.PutUint64(text[4:], number)
	binary.LittleEndian.PutUint32(text, crc32.Checksum(text[4:], castagnoli()))
	return text
}

var errCorrupt = errors.New("what is read is not what was written")

// check reports whether text, read from disk, is the block of that number.
func check(text []byte, number uint64) error {
	if binary.LittleEndian.Uint32(text) != crc32.Checksum(text[4:], castagnoli()) || binary.LittleEndian.Uint64(text[4:]) != number {
		return errCorrupt
	}
	return nil
}
