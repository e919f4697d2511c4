// SPDX-License-Identifier: Apache-2.0
#include "web/strict_yaml.h"

#include <utf8cpp/utf8.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <set>
#include <utility>

namespace corosync_exporter::web {
namespace {

// A mapping in a mapping in a mapping is as deep as anything goes that could be right.
constexpr std::size_t deepest = 8;

bool is_control(unsigned char c) {
  constexpr unsigned char del = 0x7f;
  return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == del;
}

int line_at(std::string_view text, std::size_t position) {
  return 1 + static_cast<int>(std::ranges::count(text.substr(0, position), '\n'));
}

// What ends a line to YAML and not to who reads it.
std::size_t find_hidden_break(std::string_view text) {
  constexpr std::array<std::string_view, 3> breaks{"\u0085", "\u2028", "\u2029"};
  std::size_t found = text.find('\r');
  while (found != std::string_view::npos && text.substr(found + 1).starts_with('\n')) {
    found = text.find('\r', found + 1);
  }
  for (const std::string_view each : breaks) {
    found = std::min(found, text.find(each));
  }
  return found;
}

// libyaml would read UTF-16 too.
void check_characters(std::string_view text) {
  const auto refuse_at = [&](std::size_t position, const std::string& complaint) {
    if (position < text.size()) {
      throw YamlError(line_at(text, position), "", complaint);
    }
  };
  const auto position_of = [&](std::string_view::const_iterator iterator) {
    return static_cast<std::size_t>(iterator - text.begin());
  };
  refuse_at(position_of(std::ranges::find_if(text, is_control)), "there is a control character");
  refuse_at(position_of(utf8::find_invalid(text.begin(), text.end())),
            "there is a character that is not UTF-8");
  refuse_at(find_hidden_break(text), "there is a line break that does not look like one");
}

using Kind = YamlNode::Kind;

class Event {
 public:
  ~Event() { yaml_event_delete(&raw_); }
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  [[nodiscard]] yaml_event_t* get() { return &raw_; }

 private:
  yaml_event_t raw_{};
};

class Parser {
 public:
  // REQUIRES: the text outlives the parser.
  explicit Parser(std::string_view text) : last_line_(line_at(text, text.size())) {
    if (yaml_parser_initialize(&raw_) == 0) {
      throw std::bad_alloc{};
    }
    yaml_parser_set_input_string(&raw_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Parser() { yaml_parser_delete(&raw_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // REQUIRES: a new event.
  void next(Event& event) {
    if (yaml_parser_parse(&raw_, event.get()) == 0) {
      fail();
    }
  }

 private:
  [[noreturn]] void fail() const {
    if (raw_.error == YAML_MEMORY_ERROR) {
      throw std::bad_alloc{};
    }
    std::string complaint = "is not valid YAML";
    if (raw_.problem != nullptr) {
      complaint += ", " + std::string{raw_.problem};
    }
    if (raw_.context != nullptr) {
      complaint += " " + std::string{raw_.context} + " that begins in line " +
                   std::to_string(raw_.context_mark.line + 1);
    }
    // libyaml ends the last line if nothing else does.
    const int line = static_cast<int>(raw_.problem_mark.line) + 1;
    throw YamlError(std::min(line, last_line_), "", complaint);
  }

  int last_line_;

  yaml_parser_t raw_{};
};

bool is_null(std::string_view plain) {
  constexpr std::array<std::string_view, 5> spellings{"", "~", "null", "Null", "NULL"};
  return std::ranges::find(spellings, plain) != spellings.end();
}

// NOLINTBEGIN(cppcoreguidelines-pro-type-union-access): the event's type says which one it is
const auto& scalar_of(const yaml_event_t& event) { return event.data.scalar; }
const auto& list_of(const yaml_event_t& event) { return event.data.sequence_start; }
const auto& mapping_of(const yaml_event_t& event) { return event.data.mapping_start; }
// NOLINTEND(cppcoreguidelines-pro-type-union-access)

// Makes nodes of events, and refuses as early as it can.
class TreeBuilder {
 public:
  // False at the end.
  bool take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (std::exchange(has_document_, true)) {
          refuse(event, "there is a second document");
        }
        break;
      case YAML_ALIAS_EVENT:
        refuse(event, "aliases are not supported");
      case YAML_SCALAR_EVENT:
        check_properties(event, scalar_of(event).tag, scalar_of(event).anchor);
        take_text(event);
        break;
      case YAML_SEQUENCE_START_EVENT:
        check_properties(event, list_of(event).tag, list_of(event).anchor);
        open(event, Kind::list);
        break;
      case YAML_MAPPING_START_EVENT:
        check_properties(event, mapping_of(event).tag, mapping_of(event).anchor);
        open(event, Kind::mapping);
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        break;
      default:
        break;
    }
    return event.type != YAML_STREAM_END_EVENT;
  }

  YamlNode take_root() { return std::move(root_); }

 private:
  // A list or a mapping whose end has not come.
  struct Open {
    YamlNode node;
    std::set<std::string> keys{};
    std::optional<std::string> next_key{};  // read, its value not yet
    int next_line = 1;
  };

  static int line_of(const yaml_event_t& event) {
    return static_cast<int>(event.start_mark.line) + 1;
  }

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.kind == Kind::mapping && !open_.back().next_key;
  }

  // To the value that is being read.
  [[nodiscard]] std::string path() const {
    std::string path;
    for (const Open& open : open_) {
      path = dotted(path, open.node.key);
    }
    return open_.empty() ? path : dotted(path, open_.back().next_key.value_or(""));
  }

  [[noreturn]] void refuse(const yaml_event_t& event, const std::string& complaint) const {
    throw YamlError(line_of(event), path(), complaint);
  }

  void check_properties(const yaml_event_t& event, const unsigned char* tag,
                        const unsigned char* anchor) const {
    if (anchor != nullptr) {
      refuse(event, "anchors are not supported");
    }
    if (tag != nullptr) {
      refuse(event, "tags are not supported");
    }
  }

  void take_text(const yaml_event_t& event) {
    const auto& scalar = scalar_of(event);
    const std::string text{reinterpret_cast<const char*>(scalar.value), scalar.length};
    if (std::ranges::any_of(text, is_control)) {
      refuse(event, "there is a control character");
    }
    const bool is_plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const Kind kind = !is_plain ? Kind::quoted : is_null(text) ? Kind::null : Kind::plain;
    if (expects_key()) {
      take_key(event, kind, text);
    } else {
      attach(new_node(event, kind, kind == Kind::null ? "" : text));
    }
  }

  void take_key(const yaml_event_t& event, Kind kind, const std::string& text) {
    if (kind == Kind::null) {
      refuse(event, "there is a value without a key");
    }
    if (kind == Kind::plain && text == "<<") {
      refuse(event, "merge keys are not supported");
    }
    Open& mapping = open_.back();
    mapping.next_key = text;
    mapping.next_line = line_of(event);
    if (!mapping.keys.insert(text).second) {
      refuse(event, "is there twice");
    }
  }

  void open(const yaml_event_t& event, Kind kind) {
    if (expects_key()) {
      refuse(event, "a key is to be a plain text");
    }
    if (open_.size() == deepest) {
      refuse(event, "is nested too deeply");
    }
    open_.push_back({.node = new_node(event, kind, "")});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    attach(std::move(node));
  }

  [[nodiscard]] YamlNode new_node(const yaml_event_t& event, Kind kind,
                                  const std::string& text) const {
    const bool has_key = !open_.empty() && open_.back().next_key;
    return {.kind = kind,
            .key = has_key ? *open_.back().next_key : "",
            .text = text,
            .line = has_key ? open_.back().next_line : line_of(event)};
  }

  void attach(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.children.push_back(std::move(node));
      open_.back().next_key.reset();
    }
  }

  bool has_document_ = false;
  std::vector<Open> open_;
  YamlNode root_;
};

}  // namespace

YamlNode parse_strict_yaml(std::string_view text) {
  check_characters(text);
  Parser parser{text};
  TreeBuilder builder;
  for (bool goes_on = true; goes_on;) {
    Event event;
    parser.next(event);
    goes_on = builder.take(*event.get());
  }
  return builder.take_root();
}

std::string dotted(const std::string& path, const std::string& key) {
  return path.empty() || key.empty() ? path + key : path + "." + key;
}

}  // namespace corosync_exporter::web
