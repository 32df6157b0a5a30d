package state

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// What only the root keeps: tokens, the names of groups, and the history of
// apps.

func tokenKey(key []byte) string { return "token/" + hex.EncodeToString(key) }

// Token gives the record of a token by its public key.
func (s *Store) Token(key []byte) (t TokenRecord, found bool, err error) {
	found, err = s.getJSON(tokenKey(key), &t)
	return t, found, err
}

// PutToken keeps a token's record.
func (s *Store) PutToken(t TokenRecord) error { return s.putJSON(tokenKey(t.Key), t) }

// Tokens gives the records of all tokens. One that is broken on disk has its
// key alone, and so looks as if it had expired long ago, unused.
func (s *Store) Tokens() (all []TokenRecord, err error) {
	err = s.each("token/", func(key string, value []byte) error {
		var t TokenRecord
		if json.Unmarshal(value, &t) != nil || tokenKey(t.Key) != "token/"+key {
			t = TokenRecord{}
			t.Key, _ = hex.DecodeString(key) // as PutToken wrote it
		}
		all = append(all, t)
		return nil
	})
	return all, err
}

// DeleteToken forgets a token.
func (s *Store) DeleteToken(key []byte) error { return s.delete(tokenKey(key)) }

// Groups gives the names of all groups, sorted. Who is in one stands in the
// members' roster documents.
func (s *Store) Groups() (names []Name, err error) {
	err = s.each("group/", func(key string, _ []byte) error {
		names = append(names, Name(key))
		return nil
	})
	return names, err
}

// PutGroup makes a group.
func (s *Store) PutGroup(name Name) error { return s.put("group/"+string(name), nil) }

// DeleteGroup takes a group away.
func (s *Store) DeleteGroup(name Name) error { return s.delete("group/" + string(name)) }

// Deployed is one entry of an app's history.
type Deployed struct {
	Revision uint64    `json:"revision"`
	Selector Selector  `json:"selector"`
	At       time.Time `json:"at"`
	Compose  []byte    `json:"compose"`
}

func historyKey(app Name, revision uint64) string {
	return fmt.Sprintf("history/%s/%016x", app, revision)
}

// History gives the deploys of an app, oldest first. One that is broken on
// disk has its revision alone: no number may be given twice.
func (s *Store) History(app Name) (all []Deployed, err error) {
	err = s.each("history/"+string(app)+"/", func(key string, value []byte) error {
		revision, _ := strconv.ParseUint(key, 16, 64) // as commit wrote it
		var d Deployed
		if json.Unmarshal(value, &d) != nil || d.Revision != revision {
			d = Deployed{Revision: revision}
		}
		all = append(all, d)
		return nil
	})
	return all, err
}
