package cond

// Grammar tells the language of conditions to a user. Help, man pages and reference include it, so that it is said once.
const Grammar = `A CONDITION is FIELD OP VALUE. && and || join several, && first; parentheses group them:
  Cause!=16 && (Channel=~^PJSIP/ || Duration>10m)
FIELD is a header of the event or item, or in state, calls and check a key of the object, in upper or lower case; * is any
of them, node the server's name and event the event's.
OP is = or != (equal), =~ or !~ (matches a regular expression in RE2's syntax, (?i) for any case), < <= > or >=
(numbers and times compare, such as 10, -1.5, 00:01:30 or 10m; a moment such as 2026-11-23T12:00:00Z is how long ago it is,
so that created>2h means older than two hours), or IN (VALUE,VALUE).
VALUE ends at && or || with spaces around it, or at the ) of a group. Put one that contains these in quotes, as in
Text="a && \"b\"".
An absent header meets only != and !~. If a header repeats, any of its values may meet the other operators.`

// Keys tells what FIELD is where conditions are about objects, such as channels and calls. It is said once, as Grammar is.
const Keys = `Of an object, FIELD is one of its keys, of an object within it as in caller.number. duration is how long a channel, call, caller
or parked call has been there, and how long a member has been paused. A key that ends in _us is there in seconds too, without that
end: wait>30s. A list compares with a number as how many it has: channels>2, transfers=0, legs>2. What is left out of the JSON is empty,
0 or false: bridge= is met by a channel that is in none. Keys that nothing asked for has, and values that a key cannot have, are refused.`

// Globs tells the patterns for names of nodes, events and actions.
const Globs = `In names * is any text, ? one character and [a-c] one of several; case does not matter.`
