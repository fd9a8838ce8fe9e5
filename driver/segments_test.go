package driver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/spdscheme/spdserver/auth"
	"github.com/spdscheme/spdserver/buffer"
	"github.com/spdscheme/spdserver/driver"
	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/upload"
)

// tinySegments lets a session gather what is behind the second part of a file by three parts.
func tinySegments(d *driver.Deps, _ *auth.User) {
	d.Uploads = upload.NewManager(upload.Options{
		Journal: d.Uploads.Journal, Node: "node", Log: d.Log,
		DirectParts: 2, SegmentSize: 3 * d.Budget.GrownPart(d.PartSize, d.PartsInFlight),
	})
}

func TestSizesAroundSegments(t *testing.T) {
	s := newWorld(t).login("alice", tinySegments)
	data := content(12 * partSize)
	for _, edge := range []int{2 * partSize, 3 * partSize, 5 * partSize, 8 * partSize, 11 * partSize} {
		for _, size := range []int{edge - 1, edge, edge + 1} {
			s.put("file", data[:size])
			s.holds("file", data[:size])
			s.must(s.appe("file", data[size:]))
			s.holds("file", data)
			s.noUploads()
			s.isDir("/", "file")
		}
	}
}

// An upload that broke off in a segment goes on from what is durable, on a node with other
// limits, too.
func TestResumeInSegments(t *testing.T) {
	const part = store.MinPartSize
	small := func(d *driver.Deps, u *auth.User) {
		s3Parts(d, u)
		tinySegments(d, u)
	}
	w := newWorld(t)
	data := content(10 * part)
	for _, parts := range []int{2, 3, 5} {
		nodes := []func(*driver.Deps, *auth.User){small, s3Parts}
		for kept := 0; kept < 9; nodes[0], nodes[1] = nodes[1], nodes[0] {
			s := w.login("alice", nodes[0])
			sent := min(kept+parts, 9)
			s.mustFail(426, s.rest(int64(kept*part)).storFrom("file", interrupted(data[kept*part:sent*part+part/2], errors.New("connection reset"))))
			if size, err := w.login("alice", nodes[1]).size("file"); err != nil || size != int64(sent*part) {
				t.Fatalf("SIZE %d, %v; want %d parts", size, err, sent)
			}
			kept = sent
		}
		s := w.login("alice", nodes[0])
		s.must(s.rest(int64(9*part)).stor("file", data[9*part:]))
		s.holds("file", data)
		w.noUploads()
		s.isDir("/", "file")
		s.must(s.dele("file"))
	}
}

// Whatever the settings, there are enough parts for the largest file that S3 takes.
func TestLargestFileFits(t *testing.T) {
	uploads := upload.NewManager(upload.Options{})
	for memory := int64(16 << 20); memory <= 256<<30; memory *= 2 {
		for part := int64(store.MinPartSize); part <= 1<<30 && 2*part <= memory; part += part/3 + 1 {
			for _, inFlight := range []int{1, 4, 100} {
				budget := buffer.NewBudget(memory)
				largest := budget.GrownPart(part, inFlight)
				session := uploads.Create(upload.Target{Largest: largest})
				if fit := capacity(min(part, budget.LargestPart()), largest, session.LastPart()); fit < store.MaxObjectSize {
					t.Errorf("memory %d, part size %d, %d in flight: %d GiB", memory, part, inFlight, fit>>30)
				}
			}
		}
	}
}

// capacity is how many bytes parts hold that grow as a buffer.Writer's do.
func capacity(size, largest int64, parts int) (bytes int64) {
	const growEvery = 1000
	for ; parts > 0; parts -= growEvery {
		bytes += int64(min(parts, growEvery)) * size
		size = min(2*size, largest)
	}
	return bytes
}

// A byte more than S3 takes is refused when it comes, whatever there is room for.
func TestLargestFile(t *testing.T) {
	s := withS3Parts(t)
	s.breakOff("file", 1)
	s.driver.Store = longPart{s.driver.Store}
	s.mustFail(552, s.appe("file", content(11)))
	s.noUploads()
	s.breakOff("file", 1)
	s.must(s.appe("file", content(10)))
	s.noUploads()
}

// longPart is a store that says to have ten bytes less than a whole file of each upload.
type longPart struct{ store.Store }

func (l longPart) Parts(ctx context.Context, key, id string) ([]store.Part, error) {
	parts, err := l.Store.Parts(ctx, key, id)
	if len(parts) > 0 {
		parts[0].Size = store.MaxObjectSize - 10
	}
	return parts, err
}

// What is the server's own is nobody's file.
func TestHiddenDir(t *testing.T) {
	s := newWorld(t).login("alice", func(_ *driver.Deps, u *auth.User) { u.Prefix = ""; u.QuotaBytes = 1 << 20 })
	s.plant(store.HiddenDir+"/segment", content(100))
	s.put("file", "x")
	s.isDir("/", "file")
	s.missing(store.HiddenDir)
	s.missing(store.HiddenDir + "/segment")
	s.mustFail(553, s.stor(store.HiddenDir+"/segment", "x"))
	s.mustFail(553, s.rename("file", store.HiddenDir))
	s.uses(1, 1)
}
