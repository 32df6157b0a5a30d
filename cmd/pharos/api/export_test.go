package api

import "context"

// Explain is explain for tests that can't provoke every error.
func Explain(c *Client, err error) error { return c.explain(context.Background(), err) }
