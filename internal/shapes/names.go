package shapes

import "fmt"

// repeating are events in which a name comes more than once.
func repeating() (all []Shape) {
	for _, n := range []int{2, 3, 12} {
		all = append(all, Shape{fmt.Sprintf("ChanVariable x %d", n), func(i int) string {
			p := snapshot("Newstate", i)
			return p.variables("ChanVariable", n, i).end()
		}})
	}
	return append(all,
		Shape{"DialBegin, 3 + 3 variables", func(i int) string {
			p := event("DialBegin").add("Privilege", "call,all")
			p.channel("", i).variables("ChanVariable", 3, i)
			p.channel("Dest", i).variables("DestChanVariable", 3, i)
			return p.add("DialString", "200").end()
		}},
		Shape{"all of one name", func(i int) string {
			return event("VarSet").variables("ChanVariable", 60, i).end()
		}},
		Shape{"50 names, twice each", func(i int) string {
			p := event("UserEvent")
			for k := range 100 {
				p.addf(fmt.Sprintf("Setting-%d", k%50), "value %d", k*i)
			}
			return p.end()
		}},
	)
}

func (p *packet) variables(name string, n, i int) *packet {
	for k := range n {
		p.addf(name, "CAMPAIGN_%d=spring-%d", k, i)
	}
	return p
}

// distinct are events of many names, and of names that are like one another.
func distinct() (all []Shape) {
	for _, n := range []int{1, 2, 3} {
		all = append(all, Shape{fmt.Sprintf("RTCP, %d reports", n), func(i int) string { return rtcp(n, i) }})
	}
	for _, n := range []int{100, 127, 130, 1000} {
		all = append(all, Shape{fmt.Sprintf("%d headers", n), func(i int) string {
			p := event("UserEvent")
			for k := range n - 1 {
				p.addf(fmt.Sprintf("%s%s%d", words[k%len(words)], words[k/len(words)%len(words)], k), "%d", k*i)
			}
			return p.end()
		}})
	}
	for _, n := range []int{100, 1000} {
		all = append(all, Shape{fmt.Sprintf("%d like names", n), func(i int) string {
			p := event("UserEvent")
			for k := range n - 1 { // one length, one first and last letter
				p.addf(fmt.Sprintf("X-Header-%04d-Value", k), "%d", k*i)
			}
			return p.end()
		}})
	}
	return append(all,
		Shape{"names of another event each time", func(i int) string {
			p := event("UserEvent")
			for k := range 24 {
				p.addf(fmt.Sprintf("Field%dOf%d", k, i), "value %d", i)
			}
			return p.end()
		}},
		Shape{"a quarter of UTF-8 names", func(i int) string {
			p := event("UserEvent")
			for k := range 99 {
				name := words[k%len(words)]
				if k%4 == 0 {
					name = "Größe"
				}
				p.addf(fmt.Sprintf("%s-%d", name, k), "value %d", k*i)
			}
			return p.end()
		}},
		Shape{"one header", func(i int) string {
			return event("Reload").add("Privilege", "system,all").addf("Status", "%d", i).end()
		}},
	)
}

var words = []string{"Channel", "Caller", "Connected", "Bridge", "Queue", "Member", "Transport", "Session", "Agent", "Context", "Local"}

func rtcp(reports, i int) string {
	p := snapshot("RTCPReceived", i)
	p.addf("SSRC", "0x%08x", i*7919).add("PT", "201(RR)").addf("ReportCount", "%d", reports)
	p.add("From", "192.0.2.17:14053").addf("RTT", "0.%04d", i)
	for k := range reports {
		report := fmt.Sprintf("Report%d", k)
		p.addf(report+"SourceSSRC", "0x%08x", i*104729).add(report+"FractionLost", "0").add(report+"CumulativeLost", "0")
		p.addf(report+"HighestSequence", "%d", 31000+i).add(report+"SequenceNumberCycles", "0")
		p.addf(report+"IAJitter", "%d", i).addf(report+"LSR", "%d", 268435456+i).add(report+"DLSR", "4.1900")
	}
	return p.end()
}
