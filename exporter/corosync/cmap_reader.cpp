// SPDX-License-Identifier: Apache-2.0
#include "corosync/cmap_reader.h"

#include <utf8cpp/utf8.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <mutex>
#include <utility>

namespace corosync_exporter {
namespace {

// corosync.conf's lines end at 512 bytes (coroparse.c), and statistics are numbers. Not the
// greatest at once: corosync clears and sends the whole buffer, whatever the value's length.
constexpr std::size_t usual_size = 512;

// The greatest that cmap_set takes are 16 KiB, and corosync adds an end to a text that has none
// (icmap.c: ICMAP_MAX_VALUE_LEN).
constexpr std::size_t greatest_size = 16 * 1024 + 1;

template <class Number>
std::optional<Number> number_from(const std::vector<char>& bytes) {
  Number number{};
  if (bytes.size() != sizeof number) {
    return std::nullopt;
  }
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

Connection<cmap_finalize> connect(Calls& calls, cmap_map_t map) {
  cmap_handle_t raw = 0;
  calls.make("cmap_initialize_map", -1, [&] {
    const std::lock_guard lock{Handle<cmap_finalize>::library()};
    return cmap_initialize_map(&raw, map);
  });
  Handle<cmap_finalize> handle{raw};
  int descriptor = -1;
  check(cmap_fd_get(raw, &descriptor), "cmap_fd_get");
  return {std::move(handle), descriptor};
}

}  // namespace

CmapReader::CmapReader(Calls& calls, cmap_map_t map)
    : calls_{calls}, connection_{connect(calls, map)} {}

std::optional<CmapReader::Value> CmapReader::value(const std::string& key, std::size_t longest) {
  Value value{.bytes = std::vector<char>(usual_size)};
  cs_error_t code = get(key, value);
  if (code == CS_ERR_INVALID_PARAM && longest > value.bytes.size()) {  // icmap's value does not fit
    value.bytes.resize(longest);
    code = get(key, value);
  }
  if (code == CS_ERR_NOT_EXIST || code == CS_ERR_INVALID_PARAM) {
    return std::nullopt;
  }
  check(code, "cmap_get");
  return value;
}

cs_error_t CmapReader::get(const std::string& key, Value& value) {
  std::size_t size = value.bytes.size();
  const cs_error_t code = calls_.attempt("cmap_get", descriptor(), [&] {
    return cmap_get(connection_.handle(), key.c_str(), value.bytes.data(), &size, &value.type);
  });
  if (code == CS_OK) {
    value.bytes.resize(std::min(size, value.bytes.size()));
  }
  return code;
}

std::optional<std::string> CmapReader::text(const std::string& key) {
  const auto found = value(key, greatest_size);
  if (!found || found->type != CMAP_VALUETYPE_STRING) {
    return std::nullopt;
  }
  const auto end = std::find(found->bytes.begin(), found->bytes.end(), '\0');
  std::string text;
  utf8::replace_invalid(found->bytes.begin(), end, std::back_inserter(text));
  return text;
}

std::optional<std::uint64_t> CmapReader::number(const std::string& key) {
  const auto found = value(key, usual_size);
  if (!found) {
    return std::nullopt;
  }
  switch (found->type) {
    case CMAP_VALUETYPE_UINT8:
      return number_from<std::uint8_t>(found->bytes);
    case CMAP_VALUETYPE_UINT16:
      return number_from<std::uint16_t>(found->bytes);
    case CMAP_VALUETYPE_UINT32:
      return number_from<std::uint32_t>(found->bytes);
    case CMAP_VALUETYPE_UINT64:
      return number_from<std::uint64_t>(found->bytes);
    default:
      return std::nullopt;
  }
}

std::optional<double> CmapReader::real(const std::string& key) {
  const auto found = value(key, usual_size);
  if (found && found->type == CMAP_VALUETYPE_FLOAT) {
    return number_from<float>(found->bytes);
  }
  return std::nullopt;
}

std::vector<std::string> CmapReader::keys(const std::string& prefix) {
  cmap_iter_handle_t iterator = 0;
  calls_.make("cmap_iter_init", descriptor(),
              [&] { return cmap_iter_init(connection_.handle(), prefix.c_str(), &iterator); });
  std::vector<std::string> keys;
  // An iteration that an error ends needs no cmap_iter_finalize: the connection goes with it.
  while (true) {
    std::array<char, CMAP_KEYNAME_MAXLEN + 1> key{};
    std::size_t size = 0;
    cmap_value_types_t type{};
    const cs_error_t code = calls_.attempt("cmap_iter_next", descriptor(), [&] {
      return cmap_iter_next(connection_.handle(), iterator, key.data(), &size, &type);
    });
    if (code == CS_ERR_NO_SECTIONS) {
      break;
    }
    check(code, "cmap_iter_next");
    keys.emplace_back(key.data());
  }
  calls_.make("cmap_iter_finalize", descriptor(),
              [&] { return cmap_iter_finalize(connection_.handle(), iterator); });
  return keys;
}

void CmapReader::track(const std::string& prefix) {
  cmap_track_handle_t handle = 0;  // ends with the connection
  calls_.make("cmap_track_add", descriptor(), [&] {
    return cmap_track_add(
        connection_.handle(), prefix.c_str(),
        CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY | CMAP_TRACK_PREFIX, changed,
        changed_.get(), &handle);
  });
}

bool CmapReader::has_changed() {
  check(cmap_dispatch(connection_.handle(), CS_DISPATCH_ALL), "cmap_dispatch");
  return std::exchange(*changed_, false);
}

void CmapReader::changed(cmap_handle_t /*handle*/, cmap_track_handle_t /*track*/,
                         std::int32_t /*event*/, const char* /*key*/,
                         cmap_notify_value /*new_value*/, cmap_notify_value /*old_value*/,
                         void* changed) noexcept {
  *static_cast<bool*>(changed) = true;
}

}  // namespace corosync_exporter
