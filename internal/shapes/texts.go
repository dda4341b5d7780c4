package shapes

import (
	"fmt"
	"strings"
)

// records are events of Asterisk that are unlike those of channels.
func records() []Shape {
	return []Shape{
		{"list of members", func(i int) string {
			p := event("QueueMember").addf("ActionID", "list-%d", i).add("Queue", "support").addf("Name", "Agent %d", i)
			p.addf("Location", "Local/%d@agents/n", i).addf("StateInterface", "PJSIP/%d", i).add("Membership", "dynamic")
			p.add("Penalty", "0").addf("CallsTaken", "%d", i).add("LastCall", "1795435100").add("LastPause", "0").add("LoginTime", "1795430000")
			return p.add("InCall", "0").add("Status", "1").add("Paused", "0").add("PausedReason", "").add("Wrapuptime", "0").end()
		}},
		{"CEL", func(i int) string {
			p := event("CEL").add("Privilege", "call,all").add("EventName", "CHAN_START").add("AccountCode", "").addf("CallerIDnum", "%d", i)
			p.add("CallerIDname", "").add("CallerIDani", "").add("CallerIDrdnis", "").add("CallerIDdnid", "").add("Exten", "200").add("Context", "default")
			p.addf("Channel", "PJSIP/%d-0000", i).add("Application", "").add("AppData", "").add("EventTime", "2026-11-23 12:00:00").add("AMAFlags", "DOCUMENTATION")
			p.addf("UniqueID", "1795435200.%d", i).addf("LinkedID", "1795435200.%d", i).add("Userfield", "").add("Peer", "").add("PeerAccount", "")
			return p.add("Extra", `{"hangupcause":16,"hangupsource":"PJSIP/100"}`).end()
		}},
		{"CDR", func(i int) string {
			p := event("Cdr").add("Privilege", "cdr,all").add("AccountCode", "").addf("Source", "%d", i).add("Destination", "200").add("DestinationContext", "default")
			p.addf("CallerID", `"Alice" <%d>`, i).addf("Channel", "PJSIP/%d-0000", i).add("DestinationChannel", "PJSIP/200-0001").add("LastApplication", "Dial")
			p.add("LastData", "PJSIP/200,30").add("StartTime", "2026-11-23 12:00:00").add("AnswerTime", "2026-11-23 12:00:05").add("EndTime", "2026-11-23 12:01:00")
			return p.add("Duration", "60").add("BillableSeconds", "55").add("Disposition", "ANSWERED").add("AMAFlags", "DOCUMENTATION").addf("UniqueID", "1795435200.%d", i).add("UserField", "").end()
		}},
		{"AOC", func(i int) string {
			p := snapshot("AOC-D", i).add("Charge", "Currency").add("Type", "Total").add("BillingID", "Normal").add("TotalType", "SubTotal")
			return p.add("Currency", "EUR").add("Currency/Name", "Euro").addf("Currency/Cost", "%d", i).add("Currency/Multiplier", "1/100").end()
		}},
	}
}

// texts are events whose values are long or need escapes.
func texts() []Shape {
	value := func(name, format string) Shape {
		return Shape{name, func(i int) string {
			return snapshot("VarSet", i).add("Variable", "DATA").add("Value", strings.ReplaceAll(format, "%d", fmt.Sprint(i))).end()
		}}
	}
	return []Shape{
		value("long SIP header", "<sip:proxy%d.example.com;lr;transport=tcp;ftag=as58f4201b;did=a1b.c2d>,"+strings.Repeat("<sip:198.51.100.%d:5060;lr>,", 60)),
		value("quotes", strings.Repeat(`say "hello" to `, 12)),
		value("Latin-1", strings.Repeat("M\xfcller, J\xf6rg Stra\xdfe %d; ", 10)),
		value("JSON in a value", `{"call":{"id":"%d","from":"100","to":"200","tags":["a","b","c"],"times":{"start":"12:00:00","end":"12:01:00"}},"state":"up","n":"%d"}`),
		value("Windows paths", strings.Repeat(`C:\sounds\en\%d\`, 10)),
		value("Cyrillic", strings.Repeat("Соединение установлено %d. ", 8)),
		value("Chinese", strings.Repeat("客服中心坐席%d号，", 12)),
		value("typographic", strings.Repeat("“Größe” – ‘naïve’ … ", 8)),
		value("emoji", strings.Repeat("call 📞 me 😀 %d ", 10)),
		value("controls", strings.Repeat("a\x01b\x1b[0mc\td\x7f", 15)),
		{"Latin-1 names", func(i int) string {
			p := event("UserEvent")
			for k := range 24 {
				p.addf(fmt.Sprintf("Gr\xf6\xdfe%d", k), "M\xfcller %d", i)
			}
			return p.end()
		}},
		{"quotes in names", func(i int) string {
			p := event("UserEvent")
			for k := range 24 {
				p.addf(fmt.Sprintf(`the "name" %d`, k), "value %d", i)
			}
			return p.end()
		}},
		{"short names and values", func(i int) string {
			p := event("UserEvent")
			for k := range 40 {
				p.addf(string(rune('a'+k%26))+string(rune('A'+k/26)), "%d", i%10)
			}
			return p.end()
		}},
	}
}
