package memory_test

import (
	"testing"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/memory"
	"github.com/spdscheme/spdserver/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store { return memory.New().Bucket("b") }, storetest.Properties{})
}

func TestSmallParts(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store {
		m := memory.New()
		m.MinPartSize = 10
		return m.Bucket("b")
	}, storetest.Properties{MinPartSize: 10})
}

func TestFaultyPasses(t *testing.T) {
	storetest.Test(t, func(testing.TB) store.Store {
		return &storetest.Faulty{Store: memory.New().Bucket("b")}
	}, storetest.Properties{})
}
