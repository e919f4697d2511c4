// SPDX-License-Identifier: Apache-2.0
// Large values that copies have in common, so that a copy of the state, of which each snapshot is
// one, costs little however many nodes and links there are. What is shared never changes: to change
// it is to put another in its place. Copies are compared by value.
//
// Threads: as a value of its own; any may read what another thread's copy shares.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace corosync_exporter {

// Like std::optional: empty if unknown.
template <class Value>
class Shared {
 public:
  Shared() = default;
  Shared(std::nullopt_t /*unknown*/) {}
  Shared(Value value) : value_{std::make_shared<const Value>(std::move(value))} {}

  explicit operator bool() const { return value_ != nullptr; }
  const Value& operator*() const { return *value_; }
  const Value* operator->() const { return value_.get(); }
  void reset() { value_.reset(); }

  friend bool operator==(const Shared& one, const Shared& other) {
    return one.value_ == other.value_ || (one && other && *one == *other);
  }

 private:
  std::shared_ptr<const Value> value_;
};

// Like a const std::map.
template <class Key, class Value>
class SharedMap {
 public:
  using Map = std::map<Key, Value>;
  using value_type = typename Map::value_type;
  using const_iterator = typename Map::const_iterator;
  using iterator = const_iterator;

  SharedMap() = default;
  SharedMap(Map map) : map_{std::move(map)} {}

  [[nodiscard]] const Map& map() const {
    static const Map none;
    return map_ ? *map_ : none;
  }
  [[nodiscard]] const_iterator begin() const { return map().begin(); }
  [[nodiscard]] const_iterator end() const { return map().end(); }
  [[nodiscard]] const_iterator find(const Key& key) const { return map().find(key); }
  [[nodiscard]] const Value& at(const Key& key) const { return map().at(key); }
  [[nodiscard]] bool contains(const Key& key) const { return map().contains(key); }
  [[nodiscard]] bool empty() const { return map().empty(); }
  [[nodiscard]] std::size_t size() const { return map().size(); }
  void clear() { map_.reset(); }

  friend bool operator==(const SharedMap& one, const SharedMap& other) {
    return one.map_ == other.map_ || one.map() == other.map();
  }

 private:
  Shared<Map> map_;
};

}  // namespace corosync_exporter
