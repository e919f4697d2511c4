// SPDX-License-Identifier: Apache-2.0
#include "model/snapshot_cell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace corosync_exporter {
namespace {

TEST(SnapshotCellTest, IsReadableFromTheStart) {
  const SnapshotCell<int> cell{7};
  EXPECT_EQ(*cell.read(), 7);
}

TEST(SnapshotCellTest, ReadsWhatWasPublishedLast) {
  SnapshotCell<int> cell{1};
  cell.publish(2);
  cell.publish(3);
  EXPECT_EQ(*cell.read(), 3);
}

TEST(SnapshotCellTest, AReaderKeepsWhatItRead) {
  SnapshotCell<std::vector<int>> cell{{1, 2}};
  const auto read = cell.read();
  cell.publish({3});
  EXPECT_EQ(*read, (std::vector<int>{1, 2}));
}

TEST(SnapshotCellTest, IsTheSameObjectUntilTheNextIsPublished) {
  SnapshotCell<int> cell{1};
  const auto first = cell.read();
  EXPECT_EQ(cell.read(), first);
  cell.publish(1);
  EXPECT_NE(cell.read(), first);
}

// Each value has two equal halves; a reader that saw one half of each would have torn it.
TEST(SnapshotCellTest, ReadersSeeWholeValuesInTheOrderOfPublication) {
  struct Pair {
    int first;
    int second;
  };
  SnapshotCell<Pair> cell{{0, 0}};
  constexpr int last = 2000;
  std::atomic<int> faults = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        for (int newest = 0; newest < last;) {
          const auto read = cell.read();
          faults += read->first == read->second && read->first >= newest ? 0 : 1;
          newest = read->first;
        }
      });
    }
    for (int i = 1; i <= last; ++i) {
      cell.publish({i, i});
    }
  }
  EXPECT_EQ(faults, 0);
}

}  // namespace
}  // namespace corosync_exporter
