// SPDX-License-Identifier: Apache-2.0
#include "corosync/error.h"

#include <array>
#include <system_error>
#include <utility>

namespace corosync_exporter {
namespace {

// corotypes.h's enum, in its order. cs_strerror() gives prose, which is no label.
constexpr std::array<std::pair<cs_error_t, std::string_view>, 30> names{{
    {CS_OK, "CS_OK"},
    {CS_ERR_LIBRARY, "CS_ERR_LIBRARY"},
    {CS_ERR_VERSION, "CS_ERR_VERSION"},
    {CS_ERR_INIT, "CS_ERR_INIT"},
    {CS_ERR_TIMEOUT, "CS_ERR_TIMEOUT"},
    {CS_ERR_TRY_AGAIN, "CS_ERR_TRY_AGAIN"},
    {CS_ERR_INVALID_PARAM, "CS_ERR_INVALID_PARAM"},
    {CS_ERR_NO_MEMORY, "CS_ERR_NO_MEMORY"},
    {CS_ERR_BAD_HANDLE, "CS_ERR_BAD_HANDLE"},
    {CS_ERR_BUSY, "CS_ERR_BUSY"},
    {CS_ERR_ACCESS, "CS_ERR_ACCESS"},
    {CS_ERR_NOT_EXIST, "CS_ERR_NOT_EXIST"},
    {CS_ERR_NAME_TOO_LONG, "CS_ERR_NAME_TOO_LONG"},
    {CS_ERR_EXIST, "CS_ERR_EXIST"},
    {CS_ERR_NO_SPACE, "CS_ERR_NO_SPACE"},
    {CS_ERR_INTERRUPT, "CS_ERR_INTERRUPT"},
    {CS_ERR_NAME_NOT_FOUND, "CS_ERR_NAME_NOT_FOUND"},
    {CS_ERR_NO_RESOURCES, "CS_ERR_NO_RESOURCES"},
    {CS_ERR_NOT_SUPPORTED, "CS_ERR_NOT_SUPPORTED"},
    {CS_ERR_BAD_OPERATION, "CS_ERR_BAD_OPERATION"},
    {CS_ERR_FAILED_OPERATION, "CS_ERR_FAILED_OPERATION"},
    {CS_ERR_MESSAGE_ERROR, "CS_ERR_MESSAGE_ERROR"},
    {CS_ERR_QUEUE_FULL, "CS_ERR_QUEUE_FULL"},
    {CS_ERR_QUEUE_NOT_AVAILABLE, "CS_ERR_QUEUE_NOT_AVAILABLE"},
    {CS_ERR_BAD_FLAGS, "CS_ERR_BAD_FLAGS"},
    {CS_ERR_TOO_BIG, "CS_ERR_TOO_BIG"},
    {CS_ERR_NO_SECTIONS, "CS_ERR_NO_SECTIONS"},
    {CS_ERR_CONTEXT_NOT_FOUND, "CS_ERR_CONTEXT_NOT_FOUND"},
    {CS_ERR_TOO_MANY_GROUPS, "CS_ERR_TOO_MANY_GROUPS"},
    {CS_ERR_SECURITY, "CS_ERR_SECURITY"},
}};

std::string detail_of(int system_error) {
  return system_error == 0 ? std::string{} : std::generic_category().message(system_error);
}

}  // namespace

std::string error_name(cs_error_t code) {
  for (const auto& [named, name] : names) {
    if (named == code) {
      return std::string{name};
    }
  }
  return "CS_ERR_" + std::to_string(static_cast<int>(code));
}

bool is_answer(cs_error_t code) { return code != CS_ERR_LIBRARY && code != CS_ERR_TIMEOUT; }

CorosyncError::CorosyncError(std::string_view call, cs_error_t code, int system_error)
    : std::runtime_error{std::string{call} + ": " + error_name(code)},
      code_{code},
      failure_{.call = std::string{call},
               .error = error_name(code),
               .detail = detail_of(system_error),
               .answered = is_answer(code)} {}

Failure own_failure(const std::exception& error) {
  return {.call = "corosync-exporter", .error = "internal error", .detail = error.what()};
}

void check(cs_error_t code, std::string_view call) {
  if (code != CS_OK) {
    throw CorosyncError{call, code};
  }
}

}  // namespace corosync_exporter
