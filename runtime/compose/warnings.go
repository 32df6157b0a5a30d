package compose

import (
	"io"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"
)

// compose-go says its warnings (unset variables and the like) to logrus's
// standard logger only. One load at a time listens there.
var listening sync.Mutex

type listener struct{ heard *[]string }

func (listener) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (l listener) Fire(e *logrus.Entry) error {
	if !slices.Contains(*l.heard, e.Message) {
		*l.heard = append(*l.heard, e.Message)
	}
	return nil
}

// listen runs f and gives the warnings that compose-go had meanwhile.
func listen(f func() error) (warnings []string, err error) {
	listening.Lock()
	defer listening.Unlock()
	logger := logrus.StandardLogger()
	out := logger.Out
	logger.SetOutput(io.Discard)
	hooks := logger.ReplaceHooks(logrus.LevelHooks{logrus.WarnLevel: {listener{&warnings}}})
	defer func() {
		logger.ReplaceHooks(hooks)
		logger.SetOutput(out)
	}()
	err = f()
	return warnings, err
}
