package ami_test

import (
	"fmt"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// A subscription must cost the same however many others there are. Its rate is that of subscribing and closing; b.N is
// rounds.
func BenchmarkSubscribe(b *testing.B) {
	for _, subscriptions := range []int{1000, 8000} {
		for _, order := range []string{"first-closes-first", "last-closes-first"} {
			b.Run(fmt.Sprintf("%s/%d", order, subscriptions), func(b *testing.B) {
				cl := ami.NewCluster(ami.ClusterConfig{})
				defer cl.Close()
				if _, err := cl.Add(ami.Config{Name: "n", Addr: "127.0.0.1:1", Username: "u", Secret: ami.StaticSecret("s")}); err != nil {
					b.Fatal(err)
				}
				subs := make([]*ami.Subscription, subscriptions)
				b.ResetTimer()
				for range b.N {
					for i := range subs {
						s, err := cl.Subscribe(ami.SubscribeOptions{Events: []string{"Hangup"}})
						if err != nil {
							b.Fatal(err)
						}
						subs[i] = s
					}
					for i := range subs {
						if order == "last-closes-first" {
							i = len(subs) - 1 - i
						}
						subs[i].Close()
					}
				}
				b.ReportMetric(float64(b.N)*float64(subscriptions)/b.Elapsed().Seconds(), "subscriptions/s")
			})
		}
	}
}
