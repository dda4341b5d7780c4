// Package output writes what the engine delivers: JSON lines, JSON documents, tables, CSV and raw text. It knows the
// types of package ami and opens no connection.
//
// The Append functions build one JSON object without a line end. Keys come in wire order; header values are always strings.
// Only bytes that are not UTF-8 are lost: they become U+FFFD and mark the object "lossy":true:
//
//   - fields holds the first value of each header, under the header's name as the server spelled it;
//   - multi holds all values of each header that repeats;
//   - text holds the lines that are not headers (a raw newline in a value splits a line; GetConfig sends some).
//
// The header that says what a packet is (Event, Response) is lifted out of fields; a second one of that name stays.
package output
