// SPDX-License-Identifier: Apache-2.0
#include "corosync/subscription.h"

#include <mutex>
#include <span>

#include "clock.h"

namespace corosync_exporter {
namespace {

// One dispatch takes in no more than this, so that a storm of callbacks cannot keep the loop from
// its timers.
constexpr int batch_size = 128;

std::vector<NodeId> node_ids(const std::uint32_t* ids, std::uint32_t count) {
  std::vector<NodeId> nodes;
  nodes.reserve(count);
  for (const std::uint32_t id : std::span{ids, count}) {
    nodes.push_back(NodeId{id});
  }
  return nodes;
}

RingId ring_id(const quorum_ring_id& ring) {
  return {.leader = NodeId{ring.nodeid}, .sequence = ring.seq};
}

// libquorum and libvotequorum hand out what they were handed in: a number that is an address.
std::uint64_t as_context(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

// *_dispatch, one callback a call, until there is none left.
template <class DispatchOne>
void dispatch_batch(std::string_view call, DispatchOne dispatch_one) {
  for (int i = 0; i < batch_size; ++i) {
    const cs_error_t code = dispatch_one();
    if (code == CS_ERR_TRY_AGAIN) {
      return;  // nothing waits
    }
    check(code, call);
  }
}

}  // namespace

template <class MakeEvent>
void Subscription::Inbox::add(MakeEvent&& make_event) noexcept {
  try {
    events.push_back({current_moment(), make_event()});
  } catch (...) {  // no memory; the frames below are C: dispatch() throws it on
    failure = std::current_exception();
  }
}

void Subscription::open(Calls& calls, unsigned int flags) {
  subscribe_to_quorum(calls, flags);
  if (has_provider()) {
    subscribe_to_votequorum(calls, flags);
  }
}

void Subscription::subscribe_to_quorum(Calls& calls, unsigned int flags) {
  quorum_model_v1_data_t callbacks{.model = QUORUM_MODEL_V1,
                                   .quorum_notify_fn = quorum_quorum,
                                   .nodelist_notify_fn = quorum_nodelist};
  quorum_handle_t raw = 0;
  Handle<quorum_finalize> handle;
  calls.make("quorum_model_initialize", -1, [&] {
    const std::lock_guard lock{Handle<quorum_finalize>::library()};
    const cs_error_t code = quorum_model_initialize(
        &raw, QUORUM_MODEL_V1, reinterpret_cast<quorum_model_data_t*>(&callbacks), &quorum_type_,
        inbox_.get());
    // When the daemon itself answers with an error the handle lives on (lib/quorum.c), so it is
    // owned before the error is looked at.
    handle = Handle<quorum_finalize>{raw};
    return code;
  });
  int descriptor = -1;
  check(quorum_fd_get(raw, &descriptor), "quorum_fd_get");
  quorum_ = {std::move(handle), descriptor};
  calls.make("quorum_trackstart", descriptor, [&] { return quorum_trackstart(raw, flags); });
}

void Subscription::subscribe_to_votequorum(Calls& calls, unsigned int flags) {
  votequorum_callbacks_t callbacks{.votequorum_quorum_notify_fn = votequorum_quorum,
                                   .votequorum_expectedvotes_notify_fn = votequorum_expected_votes,
                                   .votequorum_nodelist_notify_fn = votequorum_nodelist};
  votequorum_handle_t raw = 0;
  calls.make("votequorum_initialize", -1, [&] {
    const std::lock_guard lock{Handle<votequorum_finalize>::library()};
    return votequorum_initialize(&raw, &callbacks);
  });
  Handle<votequorum_finalize> handle{raw};
  int descriptor = -1;
  check(votequorum_fd_get(raw, &descriptor), "votequorum_fd_get");
  votequorum_ = {std::move(handle), descriptor};
  calls.make("votequorum_trackstart", descriptor,
             [&] { return votequorum_trackstart(raw, as_context(inbox_.get()), flags); });
}

std::vector<int> Subscription::descriptors() const {
  std::vector<int> descriptors;
  if (quorum_) {
    descriptors.push_back(quorum_.descriptor());
  }
  if (votequorum_) {
    descriptors.push_back(votequorum_.descriptor());
  }
  return descriptors;
}

void Subscription::dispatch() {
  dispatch_batch("quorum_dispatch",
                 [&] { return quorum_dispatch(quorum_.handle(), CS_DISPATCH_ONE_NONBLOCKING); });
  if (votequorum_) {
    dispatch_batch("votequorum_dispatch", [&] {
      return votequorum_dispatch(votequorum_.handle(), CS_DISPATCH_ONE_NONBLOCKING);
    });
  }
  if (inbox_->failure) {
    std::rethrow_exception(std::exchange(inbox_->failure, nullptr));
  }
}

void Subscription::stop(Calls& calls) {
  calls.make("quorum_trackstop", quorum_.descriptor(),
             [&] { return quorum_trackstop(quorum_.handle()); });
  if (votequorum_) {
    calls.make("votequorum_trackstop", votequorum_.descriptor(),
               [&] { return votequorum_trackstop(votequorum_.handle()); });
  }
}

Subscription::Inbox& Subscription::inbox_of(quorum_handle_t handle) noexcept {
  const void* context = nullptr;
  quorum_context_get(handle, &context);  // fails only for a handle that no callback could come from
  // Ours, and never const: NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  return *static_cast<Inbox*>(const_cast<void*>(context));
}

Subscription::Inbox& Subscription::inbox_of_context(std::uint64_t context) noexcept {
  return *reinterpret_cast<Inbox*>(context);  // NOLINT(performance-no-int-to-ptr): it was one
}

void Subscription::quorum_nodelist(quorum_handle_t handle, quorum_ring_id ring,
                                   std::uint32_t member_count, const std::uint32_t* members,
                                   std::uint32_t joined_count, const std::uint32_t* joined,
                                   std::uint32_t left_count, const std::uint32_t* left) noexcept {
  inbox_of(handle).add([&] {
    return NodeListNotified{.ring = ring_id(ring),
                            .members = node_ids(members, member_count),
                            .joined = node_ids(joined, joined_count),
                            .left = node_ids(left, left_count)};
  });
}

void Subscription::quorum_quorum(quorum_handle_t handle, std::uint32_t quorate, quorum_ring_id ring,
                                 std::uint32_t /*member_count*/,
                                 const std::uint32_t* /*members*/) noexcept {
  inbox_of(handle).add(
      [&] { return QuorumNotified{.quorate = quorate != 0, .ring = ring_id(ring)}; });
}

void Subscription::votequorum_nodelist(votequorum_handle_t /*handle*/, std::uint64_t context,
                                       votequorum_ring_id_t /*ring*/, std::uint32_t /*count*/,
                                       std::uint32_t* /*nodes*/) noexcept {
  inbox_of_context(context).add([] { return VotequorumNodeListNotified{}; });
}

void Subscription::votequorum_quorum(votequorum_handle_t /*handle*/, std::uint64_t context,
                                     std::uint32_t /*quorate*/, std::uint32_t count,
                                     votequorum_node_t* nodes) noexcept {
  inbox_of_context(context).add([&] {
    VotequorumQuorumNotified event;
    for (const votequorum_node_t& node : std::span{nodes, count}) {
      if (node.nodeid != VOTEQUORUM_QDEVICE_NODEID) {  // a registered qdevice is in the list too
        event.voters.push_back(NodeId{node.nodeid});
      }
    }
    return event;
  });
}

void Subscription::votequorum_expected_votes(votequorum_handle_t /*handle*/, std::uint64_t context,
                                             std::uint32_t /*votes*/) noexcept {
  inbox_of_context(context).add([] { return ExpectedVotesNotified{}; });
}

}  // namespace corosync_exporter
