package fleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// A message that is larger than the bus carries travels in chunks, each of them a message.
type chunk struct {
	Digest string `json:"chunk"` // SHA-256 of the whole, which also says what belongs together
	N      int    `json:"n"`     // from 0
	Of     int    `json:"of"`
	Data   []byte `json:"data"`
}

const (
	chunkRoom = 256       // what a chunk is more than its data
	maxWhole  = 512 << 20 // bytes of a message in chunks
)

// split returns what to send for a message: itself, or its chunks.
func split(data []byte, limit int) (out [][]byte) {
	if len(data) <= limit {
		return [][]byte{data}
	}
	sum := sha256.Sum256(data)
	size := max(1, (limit-chunkRoom)/4*3) // base64
	of := (len(data) + size - 1) / size
	for n := range of {
		part := data[n*size : min(len(data), (n+1)*size)]
		b, err := json.Marshal(chunk{Digest: hex.EncodeToString(sum[:]), N: n, Of: of, Data: part})
		if err != nil { // it holds nothing that cannot be written
			panic("bench: chunk: " + err.Error())
		}
		out = append(out, b)
	}
	return out
}

// A joiner puts the chunks of one sender together. They come in order.
type joiner struct {
	digest string
	next   int
	whole  bytes.Buffer
}

var errChunks = errors.New("bench: chunks of a message are missing or wrong")

// add takes what came from the bus. It returns a message once it is whole, nil before.
func (j *joiner) add(data []byte) (*message, error) {
	if bytes.HasPrefix(data, []byte(`{"chunk":`)) {
		var c chunk
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, errChunks
		}
		if c.N == 0 {
			j.digest, j.next = c.Digest, 0
			j.whole.Reset()
		}
		if c.Digest != j.digest || c.N != j.next || c.N >= c.Of || j.whole.Len()+len(c.Data) > maxWhole {
			return nil, errChunks
		}
		j.next++
		j.whole.Write(c.Data)
		if j.next < c.Of {
			return nil, nil
		}
		data = bytes.Clone(j.whole.Bytes())
		j.whole = bytes.Buffer{}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != j.digest {
			return nil, errChunks
		}
	}
	m := &message{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("bench: message: %w", err)
	}
	return m, nil
}

// say publishes a message.
func say(bus Bus, subject string, k kind, worker string, body any) error {
	m := message{Kind: k, Worker: worker}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("bench: message %s: %w", k, err)
		}
		m.Body = b
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("bench: message %s: %w", k, err)
	}
	for _, part := range split(data, bus.MaxPayload()) {
		if err := bus.Publish(subject, part); err != nil {
			return fmt.Errorf("bench: message %s: %w", k, err)
		}
	}
	return nil
}
