// SPDX-License-Identifier: Apache-2.0
#include "fake_corosync.h"

#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fake_corosync {
namespace {

[[noreturn]] void give_up(const char* call) {
  throw std::system_error{errno, std::generic_category(), call};
}

bool has_hung_up(int descriptor) {
  pollfd connection{.fd = descriptor, .events = 0, .revents = 0};
  return poll(&connection, 1, 0) > 0 && (connection.revents & POLLHUP) != 0;
}

// ---- corosync's process ------------------------------------------------------------------------

struct SocketPair {
  int client = -1;
  int server = -1;
};

// A child that makes socket pairs on demand, so that it is their peer, and does nothing else. It
// ends when told to, and with us in any case.
class Process {
 public:
  Process() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      give_up("socketpair");
    }
    pid_ = fork();
    if (pid_ < 0) {
      give_up("fork");
    }
    if (pid_ == 0) {
      serve(ends[1]);
    }
    close(ends[1]);
    control_ = ends[0];
  }
  ~Process() {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(control_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  SocketPair connect() const {
    const char wish = 'c';
    if (write(control_, &wish, 1) != 1) {
      give_up("write");
    }
    char answer = 0;
    Parcel parcel{answer};
    if (recvmsg(control_, &parcel.message, MSG_CMSG_CLOEXEC) != 1) {
      give_up("recvmsg");
    }
    SocketPair pair;
    std::memcpy(&pair, CMSG_DATA(CMSG_FIRSTHDR(&parcel.message)), sizeof pair);
    return pair;
  }

 private:
  // One byte, and two descriptors on the back of it.
  struct Parcel {
    explicit Parcel(char& byte) : content{.iov_base = &byte, .iov_len = 1} {
      message.msg_iov = &content;
      message.msg_iovlen = 1;
      message.msg_control = buffer.data();
      message.msg_controllen = buffer.size();
    }
    iovec content;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(SocketPair))> buffer{};
    msghdr message{};
  };

  // Forked off a program that may have threads: only what is async-signal-safe, for ever.
  [[noreturn]] static void serve(int control) {
    dup2(control, STDIN_FILENO);
    closefrom(STDIN_FILENO + 1);  // or it would keep our sockets open, and our output
    char wish = 0;
    while (read(STDIN_FILENO, &wish, 1) == 1) {
      std::array<int, 2> ends{};
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        break;
      }
      Parcel parcel{wish};
      cmsghdr* header = CMSG_FIRSTHDR(&parcel.message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof ends);
      std::memcpy(CMSG_DATA(header), ends.data(), sizeof ends);
      if (sendmsg(STDIN_FILENO, &parcel.message, 0) != 1) {
        break;
      }
      close(ends[0]);
      close(ends[1]);
    }
    _exit(0);
  }

  pid_t pid_ = -1;
  int control_ = -1;
};

// ---- cmap's values -----------------------------------------------------------------------------

cmap_value_types_t type_of(std::int8_t /*value*/) { return CMAP_VALUETYPE_INT8; }
cmap_value_types_t type_of(std::uint8_t /*value*/) { return CMAP_VALUETYPE_UINT8; }
cmap_value_types_t type_of(std::int16_t /*value*/) { return CMAP_VALUETYPE_INT16; }
cmap_value_types_t type_of(std::uint16_t /*value*/) { return CMAP_VALUETYPE_UINT16; }
cmap_value_types_t type_of(std::int32_t /*value*/) { return CMAP_VALUETYPE_INT32; }
cmap_value_types_t type_of(std::uint32_t /*value*/) { return CMAP_VALUETYPE_UINT32; }
cmap_value_types_t type_of(std::int64_t /*value*/) { return CMAP_VALUETYPE_INT64; }
cmap_value_types_t type_of(std::uint64_t /*value*/) { return CMAP_VALUETYPE_UINT64; }
cmap_value_types_t type_of(float /*value*/) { return CMAP_VALUETYPE_FLOAT; }
cmap_value_types_t type_of(double /*value*/) { return CMAP_VALUETYPE_DOUBLE; }

struct Encoded {
  cmap_value_types_t type{};
  std::vector<char> bytes{};
};

struct Encode {
  Encoded operator()(const std::string& text) const {
    Encoded encoded{.type = CMAP_VALUETYPE_STRING, .bytes{text.begin(), text.end()}};
    encoded.bytes.push_back('\0');
    return encoded;
  }
  Encoded operator()(const Binary& binary) const {
    return {.type = CMAP_VALUETYPE_BINARY, .bytes = binary.bytes};
  }
  template <class Number>
  Encoded operator()(const Number& number) const {
    Encoded encoded{.type = type_of(number), .bytes = std::vector<char>(sizeof number)};
    std::memcpy(encoded.bytes.data(), &number, sizeof number);
    return encoded;
  }
};

bool is_same(const CmapValue& left, const CmapValue& right) {
  const Encoded one = std::visit(Encode{}, left);
  const Encoded other = std::visit(Encode{}, right);
  return one.type == other.type && one.bytes == other.bytes;
}

// ---- A connection ------------------------------------------------------------------------------

struct Track {  // of cmap
  std::string prefix;
  cmap_notify_fn_t notify = nullptr;
  void* context = nullptr;
};

struct Connection {
  Connection(Service its_service, SocketPair pair)
      : service{its_service}, client{pair.client}, server{pair.server} {}
  ~Connection() {
    close(client);
    close(server);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One byte waits for as long as a callback does, so that the client is woken for each and not
  // for more.
  void queue(std::function<void()> callback) {
    if (callbacks.empty() && ::send(server, "!", 1, MSG_NOSIGNAL) != 1) {
      return;  // it hung up, and its callbacks go nowhere
    }
    callbacks.push_back(std::move(callback));
  }
  std::function<void()> take() {
    auto callback = std::move(callbacks.front());
    callbacks.pop_front();
    if (char byte = 0; callbacks.empty() && recv(client, &byte, 1, MSG_DONTWAIT) != 1) {
      give_up("recv");
    }
    return callback;
  }

  Service service;
  int client;
  int server;
  std::thread::id user{};  // the thread that is in a call
  unsigned int users = 0;
  std::deque<std::function<void()>> callbacks{};
  bool tracks = false;
  bool controlled = false;  // its flow

  const void* quorum_context = nullptr;
  quorum_model_v1_data_t quorum_callbacks{};
  std::uint64_t votequorum_context = 0;
  votequorum_callbacks_t votequorum_callbacks{};
  cmap_map_t map = CMAP_MAP_ICMAP;
  std::map<std::uint64_t, std::deque<std::string>> iterations{};
  std::vector<Track> tracks_of_keys{};
};

// ---- All of it ---------------------------------------------------------------------------------

struct Failing {
  cs_error_t code = CS_OK;
  int system_error = 0;
  bool once = true;
};

struct Kept {  // a call that hangs
  std::string call;
  int wake = -1;  // eventfd
};

class Corosync {
 public:
  // One per process, as the libraries' functions know no other.
  static Corosync& instance() {
    static Corosync corosync;
    return corosync;
  }

  void reset(Cluster cluster) {
    const std::lock_guard lock{mutex_};
    if (!connections_.empty()) {
      throw std::logic_error{"fake_corosync::reset with handles open"};
    }
    cluster_ = std::move(cluster);
    if (!process_) {
      process_ = std::make_unique<Process>();
    }
    accepts_ = true;
    frozen_ = false;
    failing_.clear();
    throwing_.clear();
    hanging_.clear();
    calls_.clear();
    track_flags_.clear();
    misuse_.clear();
    around_callbacks_ = nullptr;
  }

  void around_callbacks(AroundCallback around) { around_callbacks_ = std::move(around); }

  template <class Action>
  auto with_lock(Action action) {
    const std::lock_guard lock{mutex_};
    return action(*this);
  }

  // -- a test's side, all under the lock

  void hang_up(Service service) {
    for (auto& [handle, connection] : connections_) {
      if (connection->service == service) {
        shutdown(connection->server, SHUT_RDWR);
        connection->callbacks.clear();
      }
    }
  }

  void kill() {
    accepts_ = false;
    for (const Service service :
         {Service::quorum, Service::votequorum, Service::cmap, Service::cfg}) {
      hang_up(service);
    }
    process_.reset();
    ++deaths_;
    wake_all();
  }

  void wake_all() {
    for (const Kept* kept : kept_) {
      eventfd_write(kept->wake, 1);
    }
  }

  void change(const std::function<void(Cluster&)>& change) {
    const auto before = cluster_.cmap;
    change(cluster_);
    for (const auto& [key, value] : cluster_.cmap) {
      if (const auto old = before.find(key); old == before.end() || !is_same(old->second, value)) {
        tell_trackers(key, old == before.end() ? CMAP_TRACK_ADD : CMAP_TRACK_MODIFY);
      }
    }
    for (const auto& [key, value] : before) {
      if (!cluster_.cmap.contains(key)) {
        tell_trackers(key, CMAP_TRACK_DELETE);
      }
    }
  }

  template <class Callback>
  void send(Service service, Callback callback) {
    for (auto& [handle, connection] : connections_) {
      if (connection->service == service && connection->tracks) {
        connection->queue(callback(handle, *connection));
      }
    }
  }

  bool is_kept(std::string_view call) const {
    return std::ranges::find(kept_, call, &Kept::call) != kept_.end();
  }

  bool wait_until_hanging(std::string_view call, std::chrono::milliseconds limit) {
    std::unique_lock lock{mutex_};
    return kept_changed_.wait_for(lock, limit, [&] { return is_kept(call); });
  }

  // -- the libraries' side

  enum class Waits { no, yes };

  // *_initialize
  template <class SetUp>
  cs_error_t connect(Service service, std::string_view call, std::uint64_t* handle, SetUp set_up) {
    std::unique_lock lock{mutex_};
    record(call);
    const Changing changing{*this, service, call};
    *handle = next_handle_++;  // also where it fails: hdb.h's create comes first
    const std::uint64_t asked = deaths_;
    hang(lock, call, -1);
    if (const auto failure = failure_of(call)) {
      if (service == Service::quorum && process_) {
        connections_[*handle] = std::make_shared<Connection>(service, process_->connect());
      }
      return *failure;
    }
    if (!accepts_ || deaths_ != asked ||
        (service == Service::votequorum && !cluster_.has_provider)) {
      errno = ECONNREFUSED;
      return CS_ERR_LIBRARY;
    }
    auto connection = std::make_shared<Connection>(service, process_->connect());
    set_up(*connection);
    connections_[*handle] = std::move(connection);
    return CS_OK;
  }

  // *_finalize
  cs_error_t finalize(Service service, std::string_view call, std::uint64_t handle) {
    const std::lock_guard lock{mutex_};
    record(call);
    const Changing changing{*this, service, call};
    const auto found = connections_.find(handle);
    if (found == connections_.end() || found->second->service != service) {
      return CS_ERR_BAD_HANDLE;  // which is all that comes of it
    }
    if (found->second->users > 0) {
      misuse_.push_back(std::string{call} + ": the handle is in use");
    }
    connections_.erase(found);
    return CS_OK;
  }

  // A call on a connection.
  template <class Answer>
  cs_error_t call(Service service, std::string_view call, std::uint64_t handle, Waits waits,
                  Answer answer) {
    std::unique_lock lock{mutex_};
    record(call);
    const auto connection = find(service, call, handle);
    if (!connection) {
      return CS_ERR_BAD_HANDLE;
    }
    const Use use{*this, *connection, call};
    if (waits == Waits::yes) {
      hang(lock, call, connection->client);
    }
    if (const auto failure = failure_of(call)) {
      return *failure;
    }
    if (const auto found = throwing_.find(call); found != throwing_.end()) {
      throwing_.erase(found);
      throw std::runtime_error{std::string{call} + " throws"};
    }
    if (waits == Waits::yes && has_hung_up(connection->client)) {
      return CS_ERR_LIBRARY;
    }
    if (waits == Waits::yes && connection->controlled) {
      return CS_ERR_TRY_AGAIN;
    }
    return answer(*connection);
  }

  cs_error_t dispatch(Service service, std::string_view call, std::uint64_t handle,
                      cs_dispatch_flags_t types) {
    std::unique_lock lock{mutex_};
    record(call);
    const auto connection = find(service, call, handle);
    if (!connection) {
      return CS_ERR_BAD_HANDLE;
    }
    const Use use{*this, *connection, call};
    if (types != CS_DISPATCH_ALL && types != CS_DISPATCH_ONE_NONBLOCKING) {
      misuse_.push_back(std::string{call} + ": would wait for a callback");
      return CS_ERR_NOT_SUPPORTED;
    }
    if (const auto failure = failure_of(call)) {
      return *failure;
    }
    do {
      if (has_hung_up(connection->client)) {
        connection->callbacks.clear();
        return CS_ERR_LIBRARY;
      }
      if (connection->callbacks.empty()) {
        return types == CS_DISPATCH_ALL ? CS_OK : CS_ERR_TRY_AGAIN;
      }
      const auto callback = connection->take();
      const auto around = around_callbacks_;
      lock.unlock();
      around ? around(callback) : callback();
      lock.lock();
    } while (types == CS_DISPATCH_ALL);
    return CS_OK;
  }

  // The caller holds the lock that call() and connect() took.
  void track(Connection& connection, unsigned int flags) {
    track_flags_[connection.service].push_back(flags);
    connection.tracks = (flags & (CS_TRACK_CHANGES | CS_TRACK_CHANGES_ONLY)) != 0;
  }
  void complain(const std::string& text) { misuse_.push_back(text); }
  std::uint64_t new_number() { return next_handle_++; }

  Cluster cluster_;
  std::unique_ptr<Process> process_;
  std::uint64_t deaths_ = 0;
  bool accepts_ = true;
  bool frozen_ = false;
  std::map<std::string, Failing, std::less<>> failing_;
  std::set<std::string, std::less<>> throwing_;
  std::set<std::string, std::less<>> hanging_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::map<std::thread::id, std::map<std::string, std::size_t, std::less<>>> calls_;
  std::map<Service, std::vector<unsigned int>> track_flags_;
  std::vector<std::string> misuse_;

 private:
  // A thread in a call on a connection. A callback may call again: it is the same thread.
  class Use {
   public:
    Use(Corosync& corosync, Connection& connection, std::string_view call)
        : connection_{connection} {
      if (connection_.users > 0 && connection_.user != std::this_thread::get_id()) {
        corosync.complain(std::string{call} + ": another thread is in a call on this handle");
      }
      connection_.user = std::this_thread::get_id();
      ++connection_.users;
    }
    ~Use() { --connection_.users; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Connection& connection_;
  };

  // A thread that connects or finalizes in one library.
  class Changing {
   public:
    Changing(Corosync& corosync, Service service, std::string_view call)
        : count_{corosync.changing_[service]} {
      if (++count_ > 1) {
        corosync.complain(std::string{call} + ": another thread connects or finalizes");
      }
    }
    ~Changing() { --count_; }
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;

   private:
    unsigned int& count_;
  };

  // The values are left out: nobody here has a use for them.
  void tell_trackers(const std::string& key, std::int32_t event) {
    for (auto& [handle, connection] : connections_) {
      for (const Track& track : connection->tracks_of_keys) {
        if (key.starts_with(track.prefix)) {
          connection->queue([handle = handle, track, key, event] {
            track.notify(handle, 0, event, key.c_str(), {}, {}, track.context);
          });
        }
      }
    }
  }

  void record(std::string_view call) { ++calls_[std::this_thread::get_id()][std::string{call}]; }

  std::shared_ptr<Connection> find(Service service, std::string_view call, std::uint64_t handle) {
    const auto found = connections_.find(handle);
    if (found == connections_.end() || found->second->service != service) {
      complain(std::string{call} + ": no such handle");
      return nullptr;
    }
    return found->second;
  }

  // With the call's errno.
  std::optional<cs_error_t> failure_of(std::string_view call) {
    const auto found = failing_.find(call);
    if (found == failing_.end()) {
      return std::nullopt;
    }
    const Failing failing = found->second;
    if (failing.once) {
      failing_.erase(found);
    }
    errno = failing.system_error;
    return failing.code;
  }

  // Returns when the call may go on, or when its connection or corosync is gone.
  void hang(std::unique_lock<std::mutex>& lock, std::string_view call, int descriptor) {
    const std::uint64_t asked = deaths_;
    const auto is_hanging = [&] {
      return (frozen_ || hanging_.contains(call)) && deaths_ == asked &&
             (descriptor < 0 ? process_ != nullptr : !has_hung_up(descriptor));
    };
    if (!is_hanging()) {
      return;
    }
    const int kept_errno = errno;
    const Kept kept{.call = std::string{call}, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    kept_.insert(&kept);
    kept_changed_.notify_all();
    while (is_hanging()) {
      std::array<pollfd, 2> events{{{.fd = kept.wake, .events = POLLIN, .revents = 0},
                                    {.fd = descriptor, .events = 0, .revents = 0}}};
      lock.unlock();
      poll(events.data(), events.size(), -1);
      lock.lock();
      eventfd_t count = 0;
      eventfd_read(kept.wake, &count);
    }
    kept_.erase(&kept);
    kept_changed_.notify_all();
    close(kept.wake);
    errno = kept_errno;
  }

  std::mutex mutex_;  // of everything
  AroundCallback around_callbacks_;
  std::condition_variable kept_changed_;
  std::set<const Kept*> kept_;
  std::map<Service, unsigned int> changing_;
  // Unlike any descriptor or small number, and never the same twice.
  std::uint64_t next_handle_ = 0x5eed'0000'0000'0001;
};

Corosync& corosync() { return Corosync::instance(); }

using Waits = Corosync::Waits;

// ---- What callbacks say ------------------------------------------------------------------------

auto quorum_nodelist(std::vector<std::uint32_t> joined, std::vector<std::uint32_t> left) {
  return [joined = std::move(joined), left = std::move(left), ring = corosync().cluster_.ring,
          members = corosync().cluster_.members](std::uint64_t handle, const Connection& to) {
    return [=, notify = to.quorum_callbacks.nodelist_notify_fn] {
      notify(handle, ring, static_cast<std::uint32_t>(members.size()), members.data(),
             static_cast<std::uint32_t>(joined.size()), joined.data(),
             static_cast<std::uint32_t>(left.size()), left.data());
    };
  };
}

// Without a provider nobody has decided anything: vsf_quorum.c's initial values.
auto quorum_quorum() {
  const Cluster& cluster = corosync().cluster_;
  const bool decided = cluster.has_provider;
  return [quorate = !decided || cluster.quorate, ring = decided ? cluster.ring : quorum_ring_id{},
          members = decided ? cluster.members : std::vector<std::uint32_t>{}](
             std::uint64_t handle, const Connection& to) {
    return [=, notify = to.quorum_callbacks.quorum_notify_fn] {
      notify(handle, quorate ? 1 : 0, ring, static_cast<std::uint32_t>(members.size()),
             members.data());
    };
  };
}

auto votequorum_nodelist() {
  const Cluster& cluster = corosync().cluster_;
  return
      [ring = cluster.ring, members = cluster.members](std::uint64_t handle, const Connection& to) {
        return [=, context = to.votequorum_context,
                notify = to.votequorum_callbacks.votequorum_nodelist_notify_fn]() mutable {
          notify(handle, context, {.nodeid = ring.nodeid, .seq = ring.seq},
                 static_cast<std::uint32_t>(members.size()), members.data());
        };
      };
}

auto votequorum_quorum() {
  const Cluster& cluster = corosync().cluster_;
  return [quorate = cluster.quorate, voters = cluster.voters](std::uint64_t handle,
                                                              const Connection& to) {
    return [=, context = to.votequorum_context,
            notify = to.votequorum_callbacks.votequorum_quorum_notify_fn]() mutable {
      notify(handle, context, quorate ? 1 : 0, static_cast<std::uint32_t>(voters.size()),
             voters.data());
    };
  };
}

auto votequorum_expected_votes() {
  return [votes = corosync().cluster_.expected_votes](std::uint64_t handle, const Connection& to) {
    return [=, context = to.votequorum_context,
            notify = to.votequorum_callbacks.votequorum_expectedvotes_notify_fn] {
      notify(handle, context, votes);
    };
  };
}

bool is_configured(const Cluster& cluster, std::uint32_t node) {
  return std::ranges::any_of(cluster.cmap, [&](const auto& entry) {
    const auto& [key, value] = entry;
    const auto* id = std::get_if<std::uint32_t>(&value);
    return key.starts_with("nodelist.node.") && key.ends_with(".nodeid") && id && *id == node;
  });
}

}  // namespace

// ---- The test's side ---------------------------------------------------------------------------

Cluster three_nodes() {
  const auto info = [](unsigned int node, unsigned int votes) {
    return votequorum_info{.node_id = node,
                           .node_state = VOTEQUORUM_NODESTATE_MEMBER,
                           .node_votes = votes,
                           .node_expected_votes = 21,
                           .highest_expected = 22,
                           .total_votes = 23,
                           .quorum = 12,
                           .flags = VOTEQUORUM_INFO_QUORATE,
                           .qdevice_votes = 0,
                           .qdevice_name = {}};
  };
  const auto status = [](unsigned int node, unsigned int mtu) {  // reached over link 0
    corosync_cfg_node_status_v1 reached{};
    reached.version = CFG_NODE_STATUS_V1;
    reached.nodeid = node;
    reached.reachable = 1;
    reached.link_status[0].enabled = 1;
    reached.link_status[0].connected = 1;
    reached.link_status[0].mtu = mtu;
    std::strcpy(reached.link_status[0].dst_ipaddr, "10.0.0.2");
    return reached;
  };
  return {.has_provider = true,
          .local_node = 1,
          .ring = {.nodeid = 1, .seq = 8},
          .members = {1, 2, 3},
          .quorate = true,
          .expected_votes = 21,
          .voters = {{.nodeid = 2, .state = VOTEQUORUM_NODESTATE_MEMBER},
                     {.nodeid = 3, .state = VOTEQUORUM_NODESTATE_MEMBER},
                     {.nodeid = 1, .state = VOTEQUORUM_NODESTATE_MEMBER}},
          .infos = {{1, info(1, 5)}, {2, info(2, 6)}, {3, info(3, 7)}},
          .cmap =
              {
                  {"totem.cluster_name", "testcluster"},
                  {"totem.transport", "knet"},
                  {"quorum.provider", "corosync_votequorum"},
                  {"nodelist.local_node_pos", std::uint32_t{0}},
                  {"nodelist.node.0.nodeid", std::uint32_t{1}},
                  {"nodelist.node.0.name", "alpha"},
                  {"nodelist.node.0.ring0_addr", "10.0.0.1"},
                  {"nodelist.node.0.quorum_votes", std::uint32_t{5}},
                  {"nodelist.node.1.nodeid", std::uint32_t{2}},
                  {"nodelist.node.1.name", "beta"},
                  {"nodelist.node.1.ring0_addr", "10.0.0.2"},
                  {"nodelist.node.1.quorum_votes", std::uint32_t{6}},
                  {"nodelist.node.2.nodeid", std::uint32_t{3}},
                  {"nodelist.node.2.name", "gamma"},
                  {"nodelist.node.2.ring0_addr", "10.0.0.3"},
                  {"nodelist.node.2.quorum_votes", std::uint32_t{7}},
              },
          .statistics = {{"stats.srp.mcast_tx", std::uint64_t{100}},
                         {"stats.knet.node2.link0.down_count", std::uint32_t{1}},
                         {"stats.knet.node2.link0.up_count", std::uint32_t{2}},
                         {"stats.knet.node3.link0.down_count", std::uint32_t{3}},
                         {"stats.knet.node3.link0.up_count", std::uint32_t{4}}},
          .statuses = {{2, status(2, 1397)}, {3, status(3, 1398)}}};
}

void reset(Cluster cluster) { corosync().reset(std::move(cluster)); }

void change(const std::function<void(Cluster&)>& change) {
  corosync().with_lock([&](Corosync& it) { it.change(change); });
}

void send_quorum_nodelist(std::vector<std::uint32_t> joined, std::vector<std::uint32_t> left) {
  corosync().with_lock([&](Corosync& it) {
    it.send(Service::quorum, quorum_nodelist(std::move(joined), std::move(left)));
  });
}
void send_quorum_quorum() {
  corosync().with_lock([](Corosync& it) { it.send(Service::quorum, quorum_quorum()); });
}
void send_votequorum_nodelist() {
  corosync().with_lock([](Corosync& it) { it.send(Service::votequorum, votequorum_nodelist()); });
}
void send_votequorum_quorum() {
  corosync().with_lock([](Corosync& it) { it.send(Service::votequorum, votequorum_quorum()); });
}
void send_votequorum_expected_votes() {
  corosync().with_lock(
      [](Corosync& it) { it.send(Service::votequorum, votequorum_expected_votes()); });
}

void form(quorum_ring_id ring, const std::vector<std::uint32_t>& members, bool quorate) {
  corosync().with_lock([&](Corosync& it) {
    Cluster& cluster = it.cluster_;
    // Sorted: benchmarks have hundreds, and measure this too.
    const auto missing_in = [](std::vector<std::uint32_t> list) {
      std::ranges::sort(list);
      return [list = std::move(list)](std::uint32_t node) {
        return !std::ranges::binary_search(list, node);
      };
    };
    const auto is_newcomer = missing_in(cluster.members);
    const auto is_gone = missing_in(members);
    std::vector<std::uint32_t> joined;
    std::vector<std::uint32_t> left;
    std::ranges::copy_if(members, std::back_inserter(joined), is_newcomer);
    std::ranges::copy_if(cluster.members, std::back_inserter(left), is_gone);
    cluster.ring = ring;
    cluster.members = members;
    cluster.quorate = quorate;
    for (votequorum_node_t& voter : cluster.voters) {
      voter.state = is_gone(voter.nodeid) ? VOTEQUORUM_NODESTATE_DEAD : VOTEQUORUM_NODESTATE_MEMBER;
      cluster.infos[voter.nodeid].node_state = voter.state;
    }
    it.send(Service::quorum, quorum_nodelist(joined, left));
    it.send(Service::votequorum, votequorum_nodelist());
    it.send(Service::quorum, quorum_quorum());
    it.send(Service::votequorum, votequorum_quorum());
  });
}

void kill() {
  corosync().with_lock([](Corosync& it) { it.kill(); });
}

void begin_to_stop() {
  corosync().with_lock([](Corosync& it) {
    it.accepts_ = false;
    it.hang_up(Service::votequorum);
    it.hang_up(Service::cmap);
    it.hang_up(Service::cfg);
  });
}

void hang_up(Service service) {
  corosync().with_lock([&](Corosync& it) { it.hang_up(service); });
}

void start() {
  corosync().with_lock([](Corosync& it) {
    it.process_ = std::make_unique<Process>();
    it.accepts_ = true;
  });
}

void fail_next(std::string_view call, cs_error_t code, int system_error) {
  corosync().with_lock([&](Corosync& it) {
    it.failing_[std::string{call}] = {.code = code, .system_error = system_error, .once = true};
  });
}

void around_callbacks(AroundCallback around) {
  corosync().with_lock([&](Corosync& it) { it.around_callbacks(std::move(around)); });
}
void fail_always(std::string_view call, cs_error_t code, int system_error) {
  corosync().with_lock([&](Corosync& it) {
    it.failing_[std::string{call}] = {.code = code, .system_error = system_error, .once = false};
  });
}

void stop_failing(std::string_view call) {
  corosync().with_lock([&](Corosync& it) { it.failing_.erase(std::string{call}); });
}

void throw_next(std::string_view call) {
  corosync().with_lock([&](Corosync& it) { it.throwing_.emplace(call); });
}

void control_flow() {
  corosync().with_lock([](Corosync& it) {
    for (auto& [handle, connection] : it.connections_) {
      connection->controlled = true;
    }
  });
}

void stop_controlling_flow() {
  corosync().with_lock([](Corosync& it) {
    for (auto& [handle, connection] : it.connections_) {
      connection->controlled = false;
    }
  });
}

void hang(std::string_view call) {
  corosync().with_lock([&](Corosync& it) { it.hanging_.emplace(call); });
}

void release(std::string_view call) {
  corosync().with_lock([&](Corosync& it) {
    it.hanging_.erase(std::string{call});
    it.wake_all();
  });
}

void freeze() {
  corosync().with_lock([](Corosync& it) { it.frozen_ = true; });
}

void thaw() {
  corosync().with_lock([](Corosync& it) {
    it.frozen_ = false;
    it.wake_all();
  });
}

bool wait_until_hanging(std::string_view call, std::chrono::milliseconds limit) {
  return corosync().wait_until_hanging(call, limit);
}

std::size_t open_handles() {
  return corosync().with_lock([](const Corosync& it) { return it.connections_.size(); });
}

std::size_t open_handles(Service service) {
  return corosync().with_lock([&](const Corosync& it) {
    return static_cast<std::size_t>(std::ranges::count_if(
        it.connections_, [&](const auto& entry) { return entry.second->service == service; }));
  });
}

std::size_t calls(std::string_view call) {
  return corosync().with_lock([&](const Corosync& it) {
    std::size_t count = 0;
    for (const auto& [thread, names] : it.calls_) {
      const auto found = names.find(call);
      count += found == names.end() ? 0 : found->second;
    }
    return count;
  });
}

std::vector<std::string> called_by(std::thread::id thread) {
  return corosync().with_lock([&](const Corosync& it) {
    std::vector<std::string> names;
    if (const auto found = it.calls_.find(thread); found != it.calls_.end()) {
      for (const auto& [name, count] : found->second) {
        names.push_back(name);
      }
    }
    return names;
  });
}

std::vector<unsigned int> track_flags(Service service) {
  return corosync().with_lock([&](Corosync& it) { return it.track_flags_[service]; });
}

std::size_t trackers(Service service) {
  return corosync().with_lock([&](const Corosync& it) {
    return static_cast<std::size_t>(std::ranges::count_if(it.connections_, [&](const auto& entry) {
      return entry.second->service == service && entry.second->tracks;
    }));
  });
}

std::vector<std::string> misuse() {
  return corosync().with_lock([](const Corosync& it) { return it.misuse_; });
}

}  // namespace fake_corosync

// ---- The libraries' side -----------------------------------------------------------------------

using fake_corosync::Connection;
using fake_corosync::corosync;
using fake_corosync::Service;
using fake_corosync::Waits;

extern "C" {

// libquorum

cs_error_t quorum_model_initialize(quorum_handle_t* handle, quorum_model_t model,
                                   quorum_model_data_t* model_data, uint32_t* quorum_type,
                                   void* context) {
  if (model != QUORUM_MODEL_V1) {
    return CS_ERR_INVALID_PARAM;
  }
  return corosync().connect(
      Service::quorum, "quorum_model_initialize", handle, [&](Connection& connection) {
        connection.quorum_context = context;
        connection.quorum_callbacks = *reinterpret_cast<quorum_model_v1_data_t*>(model_data);
        if (connection.quorum_callbacks.quorum_notify_fn == nullptr ||
            connection.quorum_callbacks.nodelist_notify_fn == nullptr) {
          corosync().complain("quorum_model_initialize: without a callback");
        }
        *quorum_type = corosync().cluster_.has_provider ? QUORUM_SET : QUORUM_FREE;
      });
}

cs_error_t quorum_finalize(quorum_handle_t handle) {
  return corosync().finalize(Service::quorum, "quorum_finalize", handle);
}

cs_error_t quorum_fd_get(quorum_handle_t handle, int* fd) {
  return corosync().call(Service::quorum, "quorum_fd_get", handle, Waits::no,
                         [&](const Connection& connection) {
                           *fd = connection.client;
                           return CS_OK;
                         });
}

cs_error_t quorum_context_get(quorum_handle_t handle, const void** context) {
  return corosync().call(Service::quorum, "quorum_context_get", handle, Waits::no,
                         [&](const Connection& connection) {
                           *context = connection.quorum_context;
                           return CS_OK;
                         });
}

cs_error_t quorum_trackstart(quorum_handle_t handle, unsigned int flags) {
  return corosync().call(
      Service::quorum, "quorum_trackstart", handle, Waits::yes, [&](Connection& connection) {
        if ((flags & (CS_TRACK_CURRENT | CS_TRACK_CHANGES)) != 0) {
          connection.queue(fake_corosync::quorum_nodelist({}, {})(handle, connection));
          connection.queue(fake_corosync::quorum_quorum()(handle, connection));
        }
        if (connection.tracks) {
          return CS_ERR_EXIST;
        }
        corosync().track(connection, flags);
        return CS_OK;
      });
}

cs_error_t quorum_trackstop(quorum_handle_t handle) {
  return corosync().call(Service::quorum, "quorum_trackstop", handle, Waits::yes,
                         [](Connection& connection) {
                           connection.tracks = false;
                           return CS_OK;
                         });
}

cs_error_t quorum_dispatch(quorum_handle_t handle, cs_dispatch_flags_t dispatch_types) {
  return corosync().dispatch(Service::quorum, "quorum_dispatch", handle, dispatch_types);
}

// libvotequorum

cs_error_t votequorum_initialize(votequorum_handle_t* handle, votequorum_callbacks_t* callbacks) {
  return corosync().connect(
      Service::votequorum, "votequorum_initialize", handle,
      [&](Connection& connection) { connection.votequorum_callbacks = *callbacks; });
}

cs_error_t votequorum_finalize(votequorum_handle_t handle) {
  return corosync().finalize(Service::votequorum, "votequorum_finalize", handle);
}

cs_error_t votequorum_fd_get(votequorum_handle_t handle, int* fd) {
  return corosync().call(Service::votequorum, "votequorum_fd_get", handle, Waits::no,
                         [&](const Connection& connection) {
                           *fd = connection.client;
                           return CS_OK;
                         });
}

cs_error_t votequorum_trackstart(votequorum_handle_t handle, uint64_t context, unsigned int flags) {
  return corosync().call(
      Service::votequorum, "votequorum_trackstart", handle, Waits::yes,
      [&](Connection& connection) {
        const votequorum_callbacks_t& callbacks = connection.votequorum_callbacks;
        if (callbacks.votequorum_quorum_notify_fn == nullptr ||
            callbacks.votequorum_expectedvotes_notify_fn == nullptr ||
            callbacks.votequorum_nodelist_notify_fn == nullptr) {
          corosync().complain("votequorum_trackstart: without a callback");
        }
        connection.votequorum_context = context;
        if ((flags & (CS_TRACK_CURRENT | CS_TRACK_CHANGES)) != 0) {
          connection.queue(fake_corosync::votequorum_nodelist()(handle, connection));
          connection.queue(fake_corosync::votequorum_quorum()(handle, connection));
        }
        if (connection.tracks) {
          return CS_ERR_EXIST;
        }
        corosync().track(connection, flags);
        return CS_OK;
      });
}

cs_error_t votequorum_trackstop(votequorum_handle_t handle) {
  return corosync().call(Service::votequorum, "votequorum_trackstop", handle, Waits::yes,
                         [](Connection& connection) {
                           connection.tracks = false;
                           return CS_OK;
                         });
}

cs_error_t votequorum_dispatch(votequorum_handle_t handle, cs_dispatch_flags_t dispatch_types) {
  return corosync().dispatch(Service::votequorum, "votequorum_dispatch", handle, dispatch_types);
}

cs_error_t votequorum_getinfo(votequorum_handle_t handle, unsigned int nodeid,
                              struct votequorum_info* info) {
  return corosync().call(Service::votequorum, "votequorum_getinfo", handle, Waits::yes,
                         [&](const Connection& /*connection*/) {
                           const auto& cluster = corosync().cluster_;
                           const auto found =
                               cluster.infos.find(nodeid == 0 ? cluster.local_node : nodeid);
                           if (found == cluster.infos.end()) {
                             std::memset(info, 0xAE, sizeof *info);
                             return CS_ERR_NOT_EXIST;
                           }
                           *info = found->second;
                           return CS_OK;
                         });
}

// libcmap

cs_error_t cmap_initialize_map(cmap_handle_t* handle, cmap_map_t map) {
  return corosync().connect(Service::cmap, "cmap_initialize_map", handle,
                            [&](Connection& connection) { connection.map = map; });
}

cs_error_t cmap_finalize(cmap_handle_t handle) {
  return corosync().finalize(Service::cmap, "cmap_finalize", handle);
}

cs_error_t cmap_fd_get(cmap_handle_t handle, int* fd) {
  return corosync().call(Service::cmap, "cmap_fd_get", handle, Waits::no,
                         [&](const Connection& connection) {
                           *fd = connection.client;
                           return CS_OK;
                         });
}

cs_error_t cmap_get(cmap_handle_t handle, const char* key_name, void* value, size_t* value_len,
                    cmap_value_types_t* type) {
  return corosync().call(
      Service::cmap, "cmap_get", handle, Waits::yes, [&](const Connection& connection) {
        const bool statistics = connection.map == CMAP_MAP_STATS;
        if (statistics && (value == nullptr || *value_len < 64)) {
          corosync().complain("cmap_get: this may kill corosync");
        }
        const auto& keys = statistics ? corosync().cluster_.statistics : corosync().cluster_.cmap;
        const auto found = keys.find(key_name);
        if (found == keys.end()) {
          return CS_ERR_NOT_EXIST;
        }
        const auto encoded = std::visit(fake_corosync::Encode{}, found->second);
        if (value != nullptr) {
          if (*value_len < encoded.bytes.size()) {
            if (statistics) {
              corosync().complain("cmap_get: this overflows corosync's heap");
            }
            return CS_ERR_INVALID_PARAM;
          }
          std::ranges::copy(encoded.bytes, static_cast<char*>(value));
        }
        *value_len = encoded.bytes.size();
        *type = encoded.type;
        return CS_OK;
      });
}

cs_error_t cmap_track_add(cmap_handle_t handle, const char* key_name, int32_t track_type,
                          cmap_notify_fn_t notify_fn, void* user_data,
                          cmap_track_handle_t* cmap_track_handle) {
  return corosync().call(
      Service::cmap, "cmap_track_add", handle, Waits::yes, [&](Connection& connection) {
        if (connection.map == CMAP_MAP_STATS) {
          corosync().complain("cmap_track_add: statistics");
        }
        constexpr int32_t all =
            CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY | CMAP_TRACK_PREFIX;
        if (track_type != all) {
          corosync().complain("cmap_track_add: not for all changes below a prefix");
        }
        connection.tracks_of_keys.push_back(
            {.prefix = key_name, .notify = notify_fn, .context = user_data});
        *cmap_track_handle = corosync().new_number();
        return CS_OK;
      });
}

cs_error_t cmap_dispatch(cmap_handle_t handle, cs_dispatch_flags_t dispatch_types) {
  return corosync().dispatch(Service::cmap, "cmap_dispatch", handle, dispatch_types);
}

cs_error_t cmap_iter_init(cmap_handle_t handle, const char* prefix,
                          cmap_iter_handle_t* cmap_iter_handle) {
  return corosync().call(Service::cmap, "cmap_iter_init", handle, Waits::yes,
                         [&](Connection& connection) {
                           if (connection.map == CMAP_MAP_STATS) {
                             corosync().complain("cmap_iter_init: statistics");
                           }
                           *cmap_iter_handle = corosync().new_number();
                           auto& keys = connection.iterations[*cmap_iter_handle];
                           for (const auto& [key, value] : corosync().cluster_.cmap) {
                             if (key.starts_with(prefix)) {
                               keys.push_back(key);
                             }
                           }
                           return CS_OK;
                         });
}

cs_error_t cmap_iter_next(cmap_handle_t handle, cmap_iter_handle_t iter_handle, char key_name[],
                          size_t* value_len, cmap_value_types_t* type) {
  return corosync().call(
      Service::cmap, "cmap_iter_next", handle, Waits::yes, [&](Connection& connection) {
        const auto keys = connection.iterations.find(iter_handle);
        if (keys == connection.iterations.end()) {
          return CS_ERR_NOT_EXIST;
        }
        if (keys->second.empty()) {
          return CS_ERR_NO_SECTIONS;
        }
        std::strncpy(key_name, keys->second.front().c_str(), CMAP_KEYNAME_MAXLEN + 1);
        *value_len = 4;
        *type = CMAP_VALUETYPE_UINT32;
        keys->second.pop_front();
        return CS_OK;
      });
}

cs_error_t cmap_iter_finalize(cmap_handle_t handle, cmap_iter_handle_t iter_handle) {
  return corosync().call(Service::cmap, "cmap_iter_finalize", handle, Waits::yes,
                         [&](Connection& connection) {
                           connection.iterations.erase(iter_handle);
                           return CS_OK;
                         });
}

// libcfg

cs_error_t corosync_cfg_initialize(corosync_cfg_handle_t* cfg_handle,
                                   const corosync_cfg_callbacks_t* /*cfg_callbacks*/) {
  return corosync().connect(Service::cfg, "corosync_cfg_initialize", cfg_handle,
                            [](const Connection& /*connection*/) {});
}

cs_error_t corosync_cfg_finalize(corosync_cfg_handle_t cfg_handle) {
  return corosync().finalize(Service::cfg, "corosync_cfg_finalize", cfg_handle);
}

cs_error_t corosync_cfg_fd_get(corosync_cfg_handle_t cfg_handle, int32_t* selection_fd) {
  return corosync().call(Service::cfg, "corosync_cfg_fd_get", cfg_handle, Waits::no,
                         [&](const Connection& connection) {
                           *selection_fd = connection.client;
                           return CS_OK;
                         });
}

cs_error_t corosync_cfg_local_get(corosync_cfg_handle_t handle, unsigned int* local_nodeid) {
  return corosync().call(Service::cfg, "corosync_cfg_local_get", handle, Waits::yes,
                         [&](const Connection& /*connection*/) {
                           *local_nodeid = corosync().cluster_.local_node;
                           return CS_OK;
                         });
}

cs_error_t corosync_cfg_node_status_get(corosync_cfg_handle_t cfg_handle, unsigned int nodeid,
                                        corosync_cfg_node_status_version_t version,
                                        void* node_status) {
  return corosync().call(Service::cfg, "corosync_cfg_node_status_get", cfg_handle, Waits::yes,
                         [&](const Connection& /*connection*/) {
                           const auto& statuses = corosync().cluster_.statuses;
                           const auto found = statuses.find(nodeid);
                           if (version != CFG_NODE_STATUS_V1) {
                             return CS_ERR_NOT_SUPPORTED;
                           }
                           if (found == statuses.end()) {
                             if (!fake_corosync::is_configured(corosync().cluster_, nodeid)) {
                               corosync().complain("corosync_cfg_node_status_get: of which node?");
                             }
                             return CS_ERR_FAILED_OPERATION;
                           }
                           *static_cast<corosync_cfg_node_status_v1*>(node_status) = found->second;
                           return CS_OK;
                         });
}

}  // extern "C"
