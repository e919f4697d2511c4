// SPDX-License-Identifier: Apache-2.0
// Our subscription to corosync's announcements: quorum(3) and, where it is the provider,
// votequorum(3), each on a connection of its own. Callbacks become events, in the order in which
// each service sent them; between the two services no order is promised.
//
// Threads: one at a time. The collector opens and ends a subscription, as both wait for corosync;
// the loop owns it in between, and dispatch() never waits. Errors: CorosyncError. A connection
// never recovers: after an error the subscription is to be ended.
#pragma once

#include <corosync/quorum.h>
#include <corosync/votequorum.h>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "corosync/call.h"
#include "corosync/handle.h"
#include "model/events.h"

namespace corosync_exporter {

class Subscription {
 public:
  using Events = std::vector<std::pair<Moment, Event>>;

  // Once. `flags`: CS_TRACK_CHANGES, which tells the present and then each change, or
  // CS_TRACK_CURRENT, the present only (quorum_trackstart(3)). The present can be dispatched at
  // once: corosync queues it before it answers. What an error leaves half open is for Drain.
  void open(Calls& calls, unsigned int flags);

  // QUORUM_FREE means that no provider is configured: votequorum refuses connections then.
  [[nodiscard]] bool has_provider() const noexcept { return quorum_type_ == QUORUM_SET; }

  // To wait on; each can be read when dispatch() has something to do. The first is quorum's; none
  // before open() got that far.
  [[nodiscard]] std::vector<int> descriptors() const;

  // Takes in what corosync has sent by now, at most a batch of it: the descriptors say whether more
  // waits. What was taken in before an error is kept.
  void dispatch();
  [[nodiscard]] Events take_events() { return std::exchange(inbox_->events, {}); }

  // The polite end on a connection that stands: quorum_trackstop(3), votequorum_trackstop(3).
  void stop(Calls& calls);

 private:
  // Where callbacks leave events. On the heap, as the libraries keep its address.
  struct Inbox {
    Events events;
    std::exception_ptr failure;
    template <class MakeEvent>
    void add(MakeEvent&& make_event) noexcept;
  };
  // The way back from a callback: quorum_context_get(3); what votequorum_trackstart(3) was given.
  static Inbox& inbox_of(quorum_handle_t handle) noexcept;
  static Inbox& inbox_of_context(std::uint64_t context) noexcept;

  static void quorum_nodelist(quorum_handle_t handle, quorum_ring_id ring,
                              std::uint32_t member_count, const std::uint32_t* members,
                              std::uint32_t joined_count, const std::uint32_t* joined,
                              std::uint32_t left_count, const std::uint32_t* left) noexcept;
  static void quorum_quorum(quorum_handle_t handle, std::uint32_t quorate, quorum_ring_id ring,
                            std::uint32_t member_count, const std::uint32_t* members) noexcept;
  static void votequorum_nodelist(votequorum_handle_t handle, std::uint64_t context,
                                  votequorum_ring_id_t ring, std::uint32_t count,
                                  std::uint32_t* nodes) noexcept;
  static void votequorum_quorum(votequorum_handle_t handle, std::uint64_t context,
                                std::uint32_t quorate, std::uint32_t count,
                                votequorum_node_t* nodes) noexcept;
  static void votequorum_expected_votes(votequorum_handle_t handle, std::uint64_t context,
                                        std::uint32_t votes) noexcept;

  void subscribe_to_quorum(Calls& calls, unsigned int flags);
  void subscribe_to_votequorum(Calls& calls, unsigned int flags);

  std::unique_ptr<Inbox> inbox_ = std::make_unique<Inbox>();  // outlives the handles below
  std::uint32_t quorum_type_ = QUORUM_FREE;
  Connection<quorum_finalize> quorum_;
  Connection<votequorum_finalize> votequorum_;
};

}  // namespace corosync_exporter
