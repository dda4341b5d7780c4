package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// Storage says how a cluster's streams are made. One that is there stays as its admin has it.
type Storage struct {
	Retain   time.Duration
	MaxBytes int64
	Replicas int
}

// Defaults of Storage.
const (
	DefaultRetain   = 24 * time.Hour
	DefaultMaxBytes = 10 << 30
	DefaultReplicas = 1
)

// Names of what a cluster has in JetStream. A name there is a token, too; that of a bucket may have nothing but letters, digits, - and
// _, which stands for % then, and so has to be written as _5F itself.
func eventStream(cluster string) string { return "AMI_EV_" + subject.StreamName(cluster) }
func oneStream(cluster string) string   { return "AMI_ONE_" + subject.StreamName(cluster) }

func leaseBucket(cluster string) string {
	return "AMI_LEASE_" + bucketToken.Replace(subject.Token(cluster))
}

var bucketToken = strings.NewReplacer("_", "_5F", "%", "_")

// dedupe is how long the server remembers Msg-Ids: not longer than it keeps messages. The chain of expected sequences protects
// later retries.
func (s Storage) dedupe() time.Duration {
	const usual = 2 * time.Minute
	if s.Retain > 0 {
		return min(usual, s.Retain)
	}
	return usual
}

// ensureStream makes the stream of a cluster's batches if there is none.
func ensureStream(ctx context.Context, js jetstream.JetStream, cluster string, s Storage) error {
	return ensureOf(ctx, js, s, jetstream.StreamConfig{
		Name: eventStream(cluster), Description: "events of Asterisk servers, in batches; see docs/bus.md of amictl", Subjects: []string{subject.AllEvents(cluster)},
	})
}

// ensureOne makes the stream of a cluster's single events if there is none.
func ensureOne(ctx context.Context, js jetstream.JetStream, cluster string, s Storage) error {
	return ensureOf(ctx, js, s, jetstream.StreamConfig{
		Name: oneStream(cluster), Description: "single events of Asterisk servers, as JSON; see docs/bus.md of amictl", Subjects: []string{subject.AllOne(cluster)},
	})
}

// ensureOf makes a stream if there is none. While another bridge makes it the server may refuse it for other reasons than that it is
// there, such as that it has no room for two of that size.
func ensureOf(ctx context.Context, js jetstream.JetStream, s Storage, c jetstream.StreamConfig) (err error) {
	c.MaxAge, c.MaxBytes, c.Replicas, c.Storage, c.Discard, c.Duplicates = s.Retain, s.MaxBytes, s.Replicas, jetstream.FileStorage, jetstream.DiscardOld, s.dedupe()
	for range makeAttempts {
		var refused *jetstream.APIError
		if err = makeStream(ctx, js, c); !errors.As(err, &refused) {
			return err
		}
		select {
		case <-time.After(makeWait):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

const (
	makeAttempts = 5
	makeWait     = 100 * time.Millisecond
)

// makeStream is ensureOf, once.
func makeStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) error {
	_, err := js.Stream(ctx, c.Name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return wrap("look for stream "+c.Name, err)
	}
	_, err = js.CreateStream(ctx, c)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another bridge was faster, with other settings
		err = nil
	}
	return wrap("make stream "+c.Name, err)
}

// ensureBucket makes the bucket of a cluster's leases if there is none.
func ensureBucket(ctx context.Context, js jetstream.JetStream, cluster string, s Storage) error {
	_, err := js.KeyValue(ctx, leaseBucket(cluster))
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return wrap("look for the leases of cluster "+cluster, err)
	}
	_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: leaseBucket(cluster), Description: "which bridge owns which node; see docs/bus.md of amictl", Replicas: s.Replicas, LimitMarkerTTL: markerTime,
	})
	if errors.Is(err, jetstream.ErrBucketExists) { // another bridge was faster
		err = nil
	}
	return wrap("make the leases of cluster "+cluster, err)
}

// markerTime is how long the mark of a lease that expired stays, for watchers.
const markerTime = 30 * time.Second

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bus: %s: %w", what, err)
}
