// SPDX-License-Identifier: Apache-2.0
// YAML without what a small configuration has no use for, each value with its line.
//
// Refused, because it would be overlooked, or read differently by two readers: a second document,
// anchors and aliases, tags, merge keys, a key that is there twice or is no text, control
// characters and what is not UTF-8. Pure. Nesting is bounded, so the stack's use is.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace corosync_exporter::web {

struct YamlNode {
  enum class Kind { null, plain, quoted, list, mapping };
  Kind kind = Kind::null;
  std::string key{};   // in a mapping, else empty
  std::string text{};  // plain or quoted (also a block of lines), as written and not interpreted
  int line = 1;        // of the key where there is one; from 1
  std::vector<YamlNode> children{};  // of a list or a mapping, in the file's order
};

// Says in one sentence what is wrong.
class YamlError : public std::runtime_error {
 public:
  // `key` is the dotted path to where it is wrong, as far as there is one.
  YamlError(int line, std::string key, const std::string& complaint)
      : std::runtime_error(complaint), line_(line), key_(std::move(key)) {}

  [[nodiscard]] int line() const { return line_; }
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  int line_;
  std::string key_;
};

// Of an empty text: null. Throws YamlError.
[[nodiscard]] YamlNode parse_strict_yaml(std::string_view text);

// "section", "key" -> "section.key", for messages.
[[nodiscard]] std::string dotted(const std::string& path, const std::string& key);

}  // namespace corosync_exporter::web
