// Hangups prints the hangups of a cluster, each at least once: what was printed is acknowledged, and a later run goes on behind it.
//
//	go run hangups.go nats://127.0.0.1:4222 CLUSTER
//
// A bridge with --each Hangup puts them on the bus.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("hangups URL CLUSTER")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := follow(ctx, os.Args[1], os.Args[2], os.Stdout)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// An event is what an example wants to know of one.
type event struct {
	Type   string
	Node   string
	Time   string
	Fields struct {
		Channel string
		Cause   string
	}
	Reason string // of a gap
}

// follow prints hangups, and where events are missing, until ctx is done.
func follow(ctx context.Context, url, cluster string, to io.Writer) error {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "AMI_ONE_"+cluster, jetstream.ConsumerConfig{
		Durable:        "hangups",
		FilterSubjects: []string{"ami.one." + cluster + ".*.Hangup", "ami.one." + cluster + ".*.gap"},
		AckPolicy:      jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var ev event
		if err := json.Unmarshal(m.Data(), &ev); err != nil {
			return fmt.Errorf("%s: %w", m.Subject(), err)
		}
		switch ev.Type {
		case "gap":
			_, err = fmt.Fprintln(to, ev.Node, ev.Time, "events are missing:", ev.Reason)
		default:
			_, err = fmt.Fprintln(to, ev.Node, ev.Time, ev.Fields.Channel, ev.Fields.Cause)
		}
		if err == nil {
			err = m.Ack()
		}
		if err != nil {
			return err
		}
	}
}
