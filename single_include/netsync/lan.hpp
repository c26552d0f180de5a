// netsync/lan.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/detail/asio.hpp>
#include <netsync/detail/entropy.hpp>
#include <thread>

// ---- netsync/discovery/concept.hpp ----

// netsync: the Discovery policy: how a transport hears of peers that it does not know, and lets itself be heard of.

namespace netsync {

using DiscoveryEvent = std::variant<AnnouncementReceived, PeerHinted>;
using DiscoveryEvents = std::function<void(const DiscoveryEvent&)>;

/// A transport makes one for each start, calls start() once, then announce() any number of times, then stop(). It makes
/// these calls and runs the handlers of the executor one at a time, and runs no handler after stop(), nor while or
/// after the discovery is destroyed: so a discovery needs no lock, and its handlers may capture `this`.
///
/// - `start(executor, options, events)`: opens what it listens on; its events come from the executor, never from within
///   this call. An error says that this discovery cannot work at all, and keeps the transport from starting.
/// - `announce(bytes)`: to whoever listens; does not block; may be lost; at most limits.datagram bytes.
/// - `stop()`: closes everything. It is called on any thread, also after an error and from within an event.
///
/// A discovery hears its own announcements, may hear one several times, and never answers: all that is up to the pool.
///
/// Exemplar: StaticPeers.
template <class T>
concept discovery =
    std::default_initializable<T> && requires(T& discovery, const asio::any_io_executor& executor,
                                              const Options& options, DiscoveryEvents events, ByteView bytes) {
        { discovery.start(executor, options, std::move(events)) } -> std::same_as<std::error_code>;
        { discovery.announce(bytes) } -> std::same_as<void>;
        { discovery.stop() } -> std::same_as<void>;
    };

}  // namespace netsync

// ---- netsync/discovery/static_peers.hpp ----

// netsync: peers whose addresses are told at the start, for networks that announcements do not cross.

namespace netsync {

/// Hints each of options.peers at once and then every few seconds; the pool decides whom it dials, and when. Names are
/// looked up anew at each dial. An entry that is not HOST:PORT is errc::bad_endpoint at the start.
class StaticPeers {
   public:
    std::error_code start(const asio::any_io_executor& executor, const Options& options, DiscoveryEvents events) {
        for (const std::string& text : options.peers) {
            auto peer = parse_endpoint(text);
            if (!peer) return peer.error();
            peers_.push_back(*std::move(peer));
        }
        events_ = std::move(events);
        timer_.emplace(executor);
        if (!peers_.empty()) hint_after(std::chrono::seconds{0});
        return {};
    }
    void announce(ByteView) {}
    void stop() { timer_.reset(); }

   private:
    static constexpr std::chrono::seconds interval{5};

    void hint_after(std::chrono::seconds delay) {
        timer_->expires_after(delay);
        timer_->async_wait([this](std::error_code error) {
            if (error) return;
            for (const Endpoint& peer : peers_)
                if (timer_) events_(PeerHinted{peer});
            if (timer_) hint_after(interval);
        });
    }

    std::vector<Endpoint> peers_;
    DiscoveryEvents events_;
    std::optional<asio::steady_timer> timer_;
};

static_assert(discovery<StaticPeers>);

}  // namespace netsync

// ---- netsync/discovery/interfaces.hpp ----

// netsync: the network interfaces of this machine, as far as UdpDiscovery sends through them.

#if __has_include(<ifaddrs.h>)
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#endif

namespace netsync::detail {

/// One IPv4 address of this machine.
struct Ipv4Interface {
    asio::ip::address_v4 address{};
    asio::ip::address_v4 broadcast{};  ///< unspecified: it has none
};

/// Those that are up, the loopback included: on a machine without a network it is how processes hear each other.
struct Interfaces {
    std::vector<Ipv4Interface> v4;
    std::vector<unsigned> v6;  ///< indices; 0 is the system's choice
};

#if __has_include(<ifaddrs.h>)

/// As they are now: they come and go.
inline Interfaces interfaces() {
    Interfaces found;
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) return found;
    const auto address_of = [](const sockaddr* address) {
        return asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
    };
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || !(one->ifa_flags & IFF_UP)) continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            Ipv4Interface& added = found.v4.emplace_back();
            added.address = address_of(one->ifa_addr);
            if (one->ifa_netmask != nullptr && (one->ifa_flags & (IFF_BROADCAST | IFF_LOOPBACK)))
                added.broadcast =
                    asio::ip::address_v4(added.address.to_uint() | ~address_of(one->ifa_netmask).to_uint());
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const unsigned index = ::if_nametoindex(one->ifa_name);
            if (found.v6.empty() || found.v6.back() != index) found.v6.push_back(index);
        }
    }
    ::freeifaddrs(all);
    return found;
}

#else

inline Interfaces interfaces() { return {{Ipv4Interface{}}, {0}}; }

#endif

}  // namespace netsync::detail

// ---- netsync/discovery/udp_discovery.hpp ----

// netsync: announcements as UDP datagrams to whoever is near: broadcast and multicast, on every interface of the
// machine, over IPv4 and IPv6. No path is sure on every network; one that works is enough.

namespace netsync {

/// Listens on options.discovery_port together with every other replica of the machine: each hears every announcement.
/// Datagrams above limits.datagram are dropped unread. An IP version that the machine lacks is done without; when
/// neither can be had, start() says why. Interfaces that appear later are joined at the next announcement.
class UdpDiscovery {
   public:
    using udp = asio::ip::udp;

    std::error_code start(const asio::any_io_executor& executor, const Options& options, DiscoveryEvents events) {
        port_ = options.discovery_port;
        largest_ = options.limits.datagram;
        events_ = std::move(events);
        std::error_code error_v4;
        std::error_code error_v6;
        v4_ = listen(executor, udp::v4(), error_v4);
        v6_ = listen(executor, udp::v6(), error_v6);
        if (!v4_ && !v6_) return detail::without_asio(error_v4);
        join();
        if (v4_) receive(v4_);
        if (v6_) receive(v6_);
        return {};
    }

    void announce(ByteView bytes) {
        assert(bytes.size() <= largest_ && "others would drop it");
        const detail::Interfaces reachable = join();
        const asio::const_buffer datagram(bytes.data(), bytes.size());
        if (v4_) {
            send(*v4_, datagram, asio::ip::address_v4::broadcast());
            for (const detail::Ipv4Interface& interface : reachable.v4) {
                if (!interface.broadcast.is_unspecified()) send(*v4_, datagram, interface.broadcast);
                if (through(*v4_, interface.address)) send(*v4_, datagram, group_v4());
            }
        }
        if (v6_)
            for (const unsigned interface : reachable.v6)
                if (through(*v6_, interface)) send(*v6_, datagram, group_v6());
    }

    void stop() {
        std::error_code ignored;
        for (const auto& channel : {std::exchange(v4_, nullptr), std::exchange(v6_, nullptr)})
            if (channel) channel->socket.close(ignored);
    }

   private:
    /// A socket, and what is being received on it. Its handlers share it.
    struct Channel {
        udp::socket socket;
        Bytes buffer;
        udp::endpoint sender{};
    };

    // 'N' and 'S', in the scopes that stay within an organisation (RFC 2365) and on a link (RFC 4291).
    static asio::ip::address_v4 group_v4() { return asio::ip::make_address_v4("239.255.78.83"); }
    static asio::ip::address_v6 group_v6() { return asio::ip::make_address_v6("ff02::4e53"); }

    /// A socket that shares the port, or nothing and the error.
    std::shared_ptr<Channel> listen(const asio::any_io_executor& executor, const udp& protocol,
                                    std::error_code& error) const {
        const auto channel = std::make_shared<Channel>(Channel{udp::socket(executor), Bytes(largest_ + 1)});
        udp::socket& socket = channel->socket;
        socket.open(protocol, error);
        if (error) return nullptr;
        std::error_code ignored;
        socket.set_option(udp::socket::reuse_address(true), ignored);
#ifdef SO_REUSEPORT  // what the BSDs ask for, where others have enough with the former
        const int on = 1;
        ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
#endif
        if (protocol == udp::v6()) socket.set_option(asio::ip::v6_only(true), ignored);
        if (protocol == udp::v4()) socket.set_option(udp::socket::broadcast(true), ignored);
        socket.set_option(asio::ip::multicast::enable_loopback(true), ignored);
        socket.non_blocking(true, ignored);
        socket.bind({protocol, port_}, error);
        return error ? nullptr : channel;
    }

    /// Listens to the groups on all interfaces that there are. Joining twice does no harm.
    detail::Interfaces join() {
        detail::Interfaces found = detail::interfaces();
        std::error_code ignored;
        if (v4_)
            for (const detail::Ipv4Interface& interface : found.v4)
                v4_->socket.set_option(asio::ip::multicast::join_group(group_v4(), interface.address), ignored);
        if (v6_)
            for (const unsigned interface : found.v6)
                v6_->socket.set_option(asio::ip::multicast::join_group(group_v6(), interface), ignored);
        return found;
    }

    /// Multicasts leave through this interface from now on. False where they cannot.
    template <class Interface>
    static bool through(Channel& channel, const Interface& interface) {
        std::error_code error;
        channel.socket.set_option(asio::ip::multicast::outbound_interface(interface), error);
        return !error;
    }

    void send(Channel& channel, asio::const_buffer datagram, const asio::ip::address& to) const {
        std::error_code ignored;
        channel.socket.send_to(datagram, {to, port_}, 0, ignored);
    }

    /// An error is about a datagram that we sent, so what is received next is as good as ever.
    void receive(const std::shared_ptr<Channel>& channel) {
        channel->socket.async_receive_from(asio::buffer(channel->buffer), channel->sender,
                                           [this, channel](std::error_code error, std::size_t size) {
                                               if (!channel->socket.is_open()) return;
                                               if (!error) received(*channel, size);
                                               if (channel->socket.is_open()) receive(channel);
                                           });
    }

    void received(const Channel& channel, std::size_t size) const {
        if (size > largest_) return;
        const ByteView bytes = ByteView(channel.buffer).first(size);
        events_(AnnouncementReceived{channel.sender.address().to_string(), bytes});
    }

    std::uint16_t port_ = 0;
    std::size_t largest_ = 0;
    DiscoveryEvents events_;
    std::shared_ptr<Channel> v4_;  // null: none
    std::shared_ptr<Channel> v6_;
};

static_assert(discovery<UdpDiscovery>);

}  // namespace netsync

// ---- netsync/transport/alarm.hpp ----

// netsync: a transport's one timer. A replica sets it at nearly every step, mostly to a time no earlier than the one it
// is armed for; that costs no more than a lock.

namespace netsync::detail {

/// Time since the steady clock's epoch.
inline Duration steady_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

class Alarm {
   public:
    /// `ring` is called on the executor.
    Alarm(const asio::any_io_executor& executor, std::function<void()> ring)
        : timer_(executor), ring_(std::move(ring)) {}

    /// Rings once at `time` or soon after; replaces the time before. Any thread, and never waits.
    void set(Duration time) {
        {
            const std::lock_guard lock{mutex_};
            wanted_ = time;
            if (armed_ <= time) return;  // when the timer expires, it sees the later time
            armed_ = time;
        }
        asio::post(timer_.get_executor(), [this] { arm(); });
    }

    /// On the executor.
    void stop() { timer_.cancel(); }

   private:
    static constexpr Duration never = Duration::max();
    static constexpr Duration longest_wait = std::chrono::hours{1};  // far from where time points overflow

    void arm() {
        Duration time;
        {
            const std::lock_guard lock{mutex_};
            time = armed_;
        }
        if (time == never) return;
        const Duration now = steady_now();
        timer_.expires_after(time <= now ? Duration{0} : std::min(time - now, longest_wait));
        timer_.async_wait([this](std::error_code error) {
            if (!error) expired();
        });
    }

    void expired() {
        bool due;
        {
            const std::lock_guard lock{mutex_};
            due = wanted_ <= steady_now();
            armed_ = due ? never : wanted_;
            if (due) wanted_ = never;
        }
        due ? ring_() : arm();
    }

    std::mutex mutex_;
    Duration wanted_ = never;
    Duration armed_ = never;  // no later than wanted_
    asio::steady_timer timer_;
    std::function<void()> ring_;
};

}  // namespace netsync::detail

// ---- netsync/transport/gate.hpp ----

// netsync: the gate between Asio's threads and a replica. What an executor runs passes through it one at a time, and
// once it is shut nothing does: what lies behind it (links, timers, discoveries) is single-threaded code that can be
// stopped from any thread, whether or not the executor still runs.

namespace netsync::detail {

/// Open from a transport's start() to its stop(), then never again.
class Gate {
   public:
    /// What lies behind the gate. It stays alive while a handler of it runs.
    void guard(std::weak_ptr<void> owner) { owner_ = std::move(owner); }

    /// Keeps handlers waiting while the owner starts. Never waits itself, so the caller may hold any lock.
    [[nodiscard]] std::unique_lock<std::recursive_mutex> hold() {
        std::unique_lock lock{mutex_, std::try_to_lock};
        assert(lock && "a gate is held before anything can pass it");
        return lock;
    }

    /// Runs `handler`, after the one that is running; not at all when the gate is shut.
    template <class Handler>
    void pass(Handler& handler) {
        const std::shared_ptr<void> alive = owner_.lock();
        const std::lock_guard lock{mutex_};
        if (alive && open_) handler();
    }

    /// Runs `last`, after the handler that is running unless that is what calls; then nothing more.
    template <class Last>
    void shut(Last&& last) {
        const std::lock_guard lock{mutex_};
        open_ = false;
        last();
    }

   private:
    std::recursive_mutex mutex_;
    std::weak_ptr<void> owner_;
    bool open_ = true;
};

/// An executor that runs on another, through a gate. Made into an asio::any_io_executor before it is used.
class GatedExecutor {
   public:
    GatedExecutor(asio::any_io_executor inner, std::shared_ptr<Gate> gate) noexcept
        : inner_(std::move(inner)), gate_(std::move(gate)) {}

    template <class Function>
    void execute(Function&& function) const {
        inner_.execute([gate = gate_, function = std::decay_t<Function>(std::forward<Function>(function))]() mutable {
            gate->pass(function);
        });
    }

    template <class Property>
        requires asio::can_query<const asio::any_io_executor&, Property>::value
    auto query(const Property& property) const -> decltype(auto) {
        return asio::query(inner_, property);
    }
    template <class Property>
        requires asio::can_require<const asio::any_io_executor&, Property>::value
    GatedExecutor require(const Property& property) const {
        return {asio::require(inner_, property), gate_};
    }
    template <class Property>
        requires asio::can_prefer<const asio::any_io_executor&, Property>::value
    GatedExecutor prefer(const Property& property) const {
        return {asio::prefer(inner_, property), gate_};
    }

    friend bool operator==(const GatedExecutor& a, const GatedExecutor& b) noexcept {
        return a.gate_ == b.gate_ && a.inner_ == b.inner_;
    }

   private:
    asio::any_io_executor inner_;
    std::shared_ptr<Gate> gate_;
};

}  // namespace netsync::detail

// ---- netsync/transport/io_thread.hpp ----

// netsync: a thread that runs Asio, for programs that have none.

namespace netsync::detail {

/// Runs from start() to stop(). An instance is used by one thread at a time; its own thread may be that thread.
class IoThread {
   public:
    IoThread() = default;
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;
    ~IoThread() {
        stop();
        if (thread_.joinable()) thread_.detach();  // destroyed by itself: it ends when it comes back from here
    }

    /// What the thread runs. Throws std::system_error where the system has no thread or no descriptor left.
    std::shared_ptr<asio::io_context> start() {
        stop();
        if (thread_.joinable()) thread_.detach();
        context_ = std::make_shared<asio::io_context>(1);
        thread_ = std::thread([context = context_] {
            const auto work = asio::make_work_guard(*context);
            context->run();
        });
        return context_;
    }

    /// Waits for the handler that runs. Called by that handler, it leaves the waiting to the next call.
    void stop() {
        if (context_) context_->stop();
        context_.reset();
        if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
    }

   private:
    std::shared_ptr<asio::io_context> context_;  // shared with the thread and with what uses it
    std::thread thread_;
};

}  // namespace netsync::detail

// ---- netsync/transport/framing.hpp ----

// netsync: messages on a byte stream: 4 bytes of length, big-endian, then as many bytes. MessageReader cuts what
// arrives into messages; MessageWriter lines up what is to leave. Neither touches a socket.

namespace netsync::detail {

using MessageLength = std::array<std::byte, 4>;

constexpr MessageLength encode_length(std::size_t length) noexcept {
    return {std::byte(length >> 24 & 0xff), std::byte(length >> 16 & 0xff), std::byte(length >> 8 & 0xff),
            std::byte(length & 0xff)};
}
constexpr std::size_t decode_length(std::span<const std::byte, 4> bytes) noexcept {
    std::size_t length = 0;
    for (const std::byte byte : bytes) length = length << 8 | std::to_integer<std::size_t>(byte);
    return length;
}

/// Memory grows with what has arrived, never with what a length announces.
class MessageReader {
   public:
    explicit MessageReader(std::size_t largest) : largest_(largest) {}

    /// Where the next bytes of the stream go. Ends the life of the messages given out.
    std::span<std::byte> room() {
        if (begin_ == end_) clear();
        if (buffer_.size() - end_ < least_room) {
            if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= std::exchange(begin_, 0);
        }
        if (buffer_.size() - end_ < least_room)
            buffer_.resize(buffer_.size() + std::clamp(buffer_.size(), first_room, most_room));
        return std::span(buffer_).subspan(end_);
    }

    /// That many bytes were put there.
    void arrived(std::size_t count) noexcept { end_ += count; }

    /// The next whole message, viewed in place; nothing when there is none yet; errc::too_large.
    Result<std::optional<ByteView>> next() noexcept {
        const ByteView unread = ByteView(buffer_).subspan(begin_, end_ - begin_);
        if (unread.size() < header) return std::optional<ByteView>{};
        const std::size_t length = decode_length(unread.first<header>());
        if (length > largest_) return errc::too_large;
        if (unread.size() - header < length) return std::optional<ByteView>{};
        begin_ += header + length;
        return std::optional{unread.subspan(header, length)};
    }

    /// Forgets what is unread, and gives back the memory that a large message has taken.
    void clear() {
        begin_ = end_ = 0;
        if (buffer_.size() > most_kept) buffer_ = {};
    }

   private:
    static constexpr std::size_t header = std::tuple_size_v<MessageLength>;
    static constexpr std::size_t least_room = 4u << 10;
    static constexpr std::size_t first_room = 8u << 10;
    static constexpr std::size_t most_room = 64u << 10;
    static constexpr std::size_t most_kept = 512u << 10;

    std::size_t largest_;
    Bytes buffer_;
    std::size_t begin_ = 0;  // of what is unread
    std::size_t end_ = 0;
};

/// Holds each message once, whoever else sends it too.
class MessageWriter {
   public:
    bool empty() const noexcept { return messages_.empty(); }

    /// Bytes that have not left.
    std::size_t waiting() const noexcept { return waiting_; }

    /// What they take here, with their places in the queue: small messages cost more than their bytes.
    std::size_t memory() const noexcept { return waiting_ + messages_.size() * sizeof(Message); }

    void push(SharedBytes message) {
        assert(message->size() <= std::numeric_limits<std::uint32_t>::max() && "a length has 32 bits");
        waiting_ += sizeof(MessageLength) + message->size();
        const MessageLength length = encode_length(message->size());
        messages_.push_back({length, std::move(message)});
    }

    /// What is to leave next, in pieces for one gathering write. Valid until the next call.
    std::span<const asio::const_buffer> gather() {
        std::size_t count = 0;
        std::size_t skip = left_;
        for (const Message& message : messages_) {
            if (pieces_.size() - count < 2) break;  // length and body
            for (const ByteView part : {ByteView(message.length), ByteView(*message.body)}) {
                const ByteView rest = part.subspan(std::min(skip, part.size()));
                skip -= part.size() - rest.size();
                if (!rest.empty()) pieces_[count++] = asio::const_buffer(rest.data(), rest.size());
            }
        }
        return std::span(pieces_).first(count);
    }

    /// That many bytes have left.
    void left(std::size_t count) noexcept {
        waiting_ -= count;
        left_ += count;
        while (!messages_.empty() && left_ >= messages_.front().size()) {
            left_ -= messages_.front().size();
            messages_.pop_front();
        }
    }

    void clear() noexcept {
        messages_.clear();
        waiting_ = left_ = 0;
    }

   private:
    struct Message {
        MessageLength length;
        SharedBytes body;
        std::size_t size() const noexcept { return length.size() + body->size(); }
    };

    std::deque<Message> messages_;
    std::array<asio::const_buffer, 32> pieces_;
    std::size_t waiting_ = 0;
    std::size_t left_ = 0;  // bytes of the first message that have left
};

}  // namespace netsync::detail

// ---- netsync/transport/tcp_link.hpp ----

// netsync: one TCP connection of a TcpTransport, from the dial or the accept to its end. Messages come in from any
// thread and go out as bytes; bytes come in and go out as events.

namespace netsync::detail {

/// What the links of a transport share. It outlives all that they do.
struct TcpLinkHost {
    asio::any_io_executor executor;  ///< runs one handler at a time
    Limits limits;
    Duration answer_timeout;
    TransportEvents events;
    std::function<void(Link)> ended;  ///< its socket is closed
};

/// Only send() and close() may be called from outside the executor. They never wait for an event: a mutex is held for
/// no longer than one write that does not block.
class TcpLink : public std::enable_shared_from_this<TcpLink> {
   public:
    using tcp = asio::ip::tcp;

    TcpLink(const TcpLinkHost& host, Link id) : TcpLink(host, id, tcp::socket(host.executor)) {}
    TcpLink(const TcpLinkHost& host, Link id, tcp::socket socket)
        : host_(host), id_(id), socket_(std::move(socket)), timer_(host.executor), reader_(host.limits.message()) {}

    /// Tries each address of the endpoint until one answers. LinkOpened or LinkClosed follows.
    void dial(const Endpoint& endpoint) {
        if (stage() != Stage::opening) return;
        peer_ = endpoint;
        timer_.expires_after(host_.answer_timeout);
        timer_.async_wait([self = shared_from_this()](std::error_code error) {
            if (!error && self->stage() == Stage::opening) self->fail(errc::timed_out);
        });
        std::error_code is_a_name;
        const auto address = asio::ip::make_address(endpoint.host, is_a_name);
        if (!is_a_name) return connect({{address, endpoint.port}});
        resolver_.emplace(host_.executor);
        resolver_->async_resolve(endpoint.host, std::to_string(endpoint.port),
                                 [self = shared_from_this()](std::error_code error, const auto& found) {
                                     if (self->stage() != Stage::opening) return;
                                     if (error) return self->fail(error);
                                     self->connect({found.begin(), found.end()});
                                 });
    }

    /// The socket is connected. Events follow.
    void open(bool dialed, const Endpoint& peer) {
        std::error_code ignored;
        socket_.set_option(tcp::no_delay(true), ignored);
        socket_.non_blocking(true, ignored);
        timer_.cancel();
        {
            const std::lock_guard lock{mutex_};
            if (stage_ != Stage::opening) return;
            stage_ = Stage::open;
            write();
        }
        host_.events(LinkOpened{id_, dialed, peer});
        read();
    }

    /// See the concept. Writes at once what the socket takes; the executor writes the rest.
    bool send(SharedBytes message) {
        const std::lock_guard lock{mutex_};
        if (stage_ != Stage::opening && stage_ != Stage::open) return true;
        if (writer_.memory() > host_.limits.backlog) return false;
        const bool idle = writer_.empty();
        writer_.push(std::move(message));
        if (idle && stage_ == Stage::open) write();
        return true;
    }

    /// Ends once all is sent and the peer has seen it, or after a second. No event follows.
    void close() {
        const std::lock_guard lock{mutex_};
        if (stage_ != Stage::opening && stage_ != Stage::open) return;
        const bool connected = stage_ == Stage::open;
        stage_ = Stage::closing;
        asio::post(socket_.get_executor(),
                   [self = shared_from_this(), connected] { connected ? self->finish() : self->end(); });
    }

    /// Ends at once. No event follows.
    void abandon() {
        const std::lock_guard lock{mutex_};
        stage_ = Stage::ended;
        std::error_code ignored;
        socket_.close(ignored);
        timer_.cancel();
        if (resolver_) resolver_->cancel();
        writer_.clear();
    }

   private:
    enum class Stage { opening, open, closing, ended };

    static constexpr auto longest_close = std::chrono::seconds{1};

    Stage stage() const {
        const std::lock_guard lock{mutex_};
        return stage_;
    }

    void connect(std::vector<tcp::endpoint> addresses, std::size_t next = 0) {
        std::error_code ignored;
        socket_.close(ignored);
        const tcp::endpoint address = addresses[next];
        socket_.async_connect(address, [self = shared_from_this(), addresses = std::move(addresses),
                                        next](std::error_code error) mutable {
            if (self->stage() != Stage::opening) return;
            if (!error && self->connected_to_itself()) error = asio::error::connection_refused;
            if (!error) return self->open(true, self->peer_);
            if (next + 1 == addresses.size()) return self->fail(error);
            self->connect(std::move(addresses), next + 1);
        });
    }

    /// TCP lets a dial to a free local port meet itself there.
    bool connected_to_itself() const {
        std::error_code error;
        return socket_.local_endpoint(error) == socket_.remote_endpoint(error) && !error;
    }

    void read() {
        if (stage() == Stage::ended) return;
        const auto room = reader_.room();
        socket_.async_read_some(
            asio::buffer(room.data(), room.size()),
            [self = shared_from_this()](std::error_code error, std::size_t count) { self->arrived(error, count); });
    }

    void arrived(std::error_code error, std::size_t count) {
        reader_.arrived(count);
        while (stage() == Stage::open) {
            const auto message = reader_.next();
            if (!message) return fail(message.error());
            if (!*message) break;
            host_.events(MessageReceived{id_, **message});
        }
        if (stage() == Stage::ended) return;
        if (stage() == Stage::closing) reader_.clear();
        if (error) return fail(error);
        read();
    }

    /// Under the mutex. After an error, what has arrived is still read: the peer may have said why.
    void write() {
        while (!writer_.empty()) {
            std::error_code error;
            const std::size_t count = socket_.write_some(writer_.gather(), error);
            if (error == asio::error::would_block || error == asio::error::try_again) return write_later();
            if (error == asio::error::interrupted) continue;
            if (error) {
                if (!write_error_) write_error_ = error;
                writer_.clear();
                socket_.shutdown(tcp::socket::shutdown_both, error);
                return;
            }
            writer_.left(count);
        }
        std::error_code ignored;
        if (stage_ == Stage::closing) socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }

    void write_later() {
        asio::post(socket_.get_executor(), [self = shared_from_this()] {
            const std::lock_guard lock{self->mutex_};
            if (self->stage_ == Stage::ended) return;
            self->socket_.async_wait(tcp::socket::wait_write, [self](std::error_code error) {
                const std::lock_guard waited{self->mutex_};
                if (!error && self->stage_ != Stage::ended) self->write();
            });
        });
    }

    /// Lets the peer read to the end: a socket closed with bytes unread would take back what it has sent.
    void finish() {
        timer_.expires_after(longest_close);
        timer_.async_wait([self = shared_from_this()](std::error_code error) {
            if (!error) self->end();
        });
        const std::lock_guard lock{mutex_};
        if (writer_.empty() && stage_ == Stage::closing) write();
    }

    void end() {
        abandon();
        host_.ended(id_);
    }

    void fail(std::error_code reason) {
        bool ours;
        {
            const std::lock_guard lock{mutex_};
            ours = stage_ == Stage::closing;
            if (write_error_) reason = write_error_;
        }
        end();
        if (!ours) host_.events(LinkClosed{id_, without_asio(reason)});
    }

    const TcpLinkHost& host_;
    const Link id_;
    mutable std::mutex mutex_;  // of stage_, writer_, write_error_, and of socket_ for all but reading
    Stage stage_ = Stage::opening;
    tcp::socket socket_;
    asio::steady_timer timer_;  // of the dial, then of the close
    std::optional<tcp::resolver> resolver_;
    Endpoint peer_;
    MessageReader reader_;
    MessageWriter writer_;
    std::error_code write_error_;
};

}  // namespace netsync::detail

// ---- netsync/transport/tcp_links.hpp ----

// netsync: all connections of a TcpTransport and the listener that accepts them: who is dialed and who dials becomes a
// TcpLink here, found by its Link until it ends.

namespace netsync::detail {

/// dial(), send() and close() come from any thread and never wait for an event; the rest runs on the executor.
class TcpLinks {
   public:
    using tcp = asio::ip::tcp;

    TcpLinks(const asio::any_io_executor& executor, const Options& options, TransportEvents events)
        : host_{executor, options.limits, options.answer_timeout, std::move(events), [this](Link id) { forget(id); }},
          acceptor_(executor), pause_(executor) {}

    /// Accepts on `port` of every address of this machine; 0: on a free one.
    std::error_code listen(std::uint16_t port) {
        std::error_code error = listen_on(tcp::v6(), port);
        if (error && error != std::errc::address_in_use && error != std::errc::permission_denied)
            error = listen_on(tcp::v4(), port);
        if (error) return error;
        port_ = acceptor_.local_endpoint().port();
        accept();
        return {};
    }

    void stop() {
        std::error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        std::unordered_map<Link, std::shared_ptr<TcpLink>> links;
        {
            const std::lock_guard lock{mutex_};
            links.swap(links_);
        }
        for (const auto& [id, link] : links) link->abandon();
    }

    std::uint16_t port() const noexcept { return port_; }

    Link dial(const Endpoint& endpoint) {
        const Link id = next_id();
        const auto link = std::make_shared<TcpLink>(host_, id);
        remember(id, link);
        asio::post(host_.executor, [link, endpoint] { link->dial(endpoint); });
        return id;
    }

    bool send(Link id, SharedBytes message) {
        const auto link = find(id);
        return !link || link->send(std::move(message));
    }

    void close(Link id) {
        if (const auto link = find(id)) link->close();
    }

   private:
    static constexpr auto pause_after_error = std::chrono::milliseconds{100};

    /// Never the same in one process, so that no restart of a transport can confuse two links.
    static Link next_id() {
        static std::atomic<std::uint64_t> last{0};
        return Link{++last};
    }

    std::error_code listen_on(const tcp& protocol, std::uint16_t port) {
        std::error_code error;
        std::error_code ignored;
        acceptor_.close(ignored);
        acceptor_.open(protocol, error);
        if (error) return without_asio(error);
        if (protocol == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(false), error);
#ifndef _WIN32  // there it would let two programs listen on one port; here it only passes over links that have closed
        acceptor_.set_option(tcp::acceptor::reuse_address(true), ignored);
#endif
        if (!error) acceptor_.bind({protocol, port}, error);
        if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
        return without_asio(error);
    }

    void accept() {
        acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (error && error != asio::error::connection_aborted) return accept_later();
            if (!error) accepted(std::move(socket));
            accept();
        });
    }

    /// Out of descriptors or memory: others may give some back.
    void accept_later() {
        pause_.expires_after(pause_after_error);
        pause_.async_wait([this](std::error_code error) {
            if (!error) accept();
        });
    }

    void accepted(tcp::socket socket) {
        std::error_code gone;
        const tcp::endpoint peer = socket.remote_endpoint(gone);
        if (gone || open_links() >= host_.limits.links) return;
        asio::ip::address address = peer.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped())
            address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        const Link id = next_id();
        const auto link = std::make_shared<TcpLink>(host_, id, std::move(socket));
        remember(id, link);
        link->open(false, {address.to_string(), peer.port()});
    }

    std::size_t open_links() const {
        const std::lock_guard lock{mutex_};
        return links_.size();
    }
    std::shared_ptr<TcpLink> find(Link id) const {
        const std::lock_guard lock{mutex_};
        const auto found = links_.find(id);
        return found == links_.end() ? nullptr : found->second;
    }
    void remember(Link id, std::shared_ptr<TcpLink> link) {
        const std::lock_guard lock{mutex_};
        links_.emplace(id, std::move(link));
    }
    void forget(Link id) {
        const std::lock_guard lock{mutex_};
        links_.erase(id);
    }

    TcpLinkHost host_;
    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::unordered_map<Link, std::shared_ptr<TcpLink>> links_;
};

}  // namespace netsync::detail

// ---- netsync/transport/tcp_transport.hpp ----

// netsync: the transport of real networks: messages over TCP, announcements by the discoveries it is given. It runs on
// a thread of its own, or on an executor of the program.

namespace netsync {

/// Listens on every address of the machine, on options.port. A message is 4 bytes of length, big-endian, and its bytes;
/// one longer than limits.message() ends its link with errc::too_large. send() writes on the caller's thread when the
/// link is idle. A link that the peer closed ends with std::errc::connection_reset, whether it reset it or not.
///
/// stop() waits for the event under way, so its caller holds no lock that an event takes; a name that is being looked
/// up may delay it. close() cannot take back an event that another thread is about to take.
template <discovery... Discovery>
class TcpTransport {
   public:
    /// On a thread of its own, from start() to stop().
    TcpTransport() : state_(std::make_unique<State>()) {}

    /// On an executor of the program, run by any number of threads. It must outlive this or its stop(), not its
    /// running.
    template <std::convertible_to<asio::any_io_executor> Executor>
        requires(!std::same_as<Executor, TcpTransport>)
    TcpTransport(Executor executor) : TcpTransport() {
        state_->executor = std::move(executor);
    }

    /// Not once started.
    TcpTransport(TcpTransport&&) noexcept = default;
    TcpTransport& operator=(TcpTransport&& other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~TcpTransport() {
        if (state_) stop();
    }

    std::error_code start(const Options& options, TransportEvents events) try {
        assert(!session() && "stop() comes before the next start()");
        const auto gate = std::make_shared<detail::Gate>();
        auto held = gate->hold();
        const auto context = state_->executor ? nullptr : state_->thread.start();
        const auto executor = context ? asio::any_io_executor(context->get_executor())
                                      : asio::any_io_executor(asio::make_strand(state_->executor));
        auto session = std::make_shared<Session>(context, gate, executor, options, std::move(events));
        gate->guard(session);
        const std::error_code error = session->start(options);
        if (error) {
            gate->shut([&] { session->stop(); });
            held.unlock();
            session.reset();
            state_->thread.stop();
            return error;
        }
        const std::lock_guard lock{state_->mutex};
        state_->session = std::move(session);
        return {};
    } catch (const std::system_error& out_of_resources) {
        state_->thread.stop();
        return detail::without_asio(out_of_resources.code());
    }

    void stop() {
        std::shared_ptr<Session> session;
        {
            const std::lock_guard lock{state_->mutex};
            session.swap(state_->session);
        }
        if (session) session->gate->shut([&] { session->stop(); });
        session.reset();
        state_->thread.stop();
    }

    Duration now() const noexcept { return detail::steady_now(); }
    void wake_at(Duration time) {
        if (const auto session = this->session()) session->alarm.set(time);
    }
    void announce(ByteView bytes) {
        if (const auto session = this->session()) session->announce(bytes);
    }
    Link dial(const Endpoint& endpoint) {
        const auto session = this->session();
        return session ? session->links.dial(endpoint) : Link{};
    }
    bool send(Link link, SharedBytes message) {
        const auto session = this->session();
        return !session || session->links.send(link, std::move(message));
    }
    void close(Link link) {
        if (const auto session = this->session()) session->links.close(link);
    }
    std::uint16_t port() const {
        const auto session = this->session();
        return session ? session->links.port() : std::uint16_t{0};
    }
    std::uint64_t entropy() { return detail::entropy(); }

   private:
    /// What lives from start() to stop(), all of it behind the gate.
    struct Session {
        Session(std::shared_ptr<asio::io_context> own, std::shared_ptr<detail::Gate> behind,
                const asio::any_io_executor& inner, const Options& options, TransportEvents sink)
            : context(std::move(own)), gate(std::move(behind)), executor(detail::GatedExecutor(inner, gate)),
              events(std::move(sink)), links(executor, options, [this](const TransportEvent& event) { events(event); }),
              alarm(executor, [this] { events(Woken{}); }) {}

        std::error_code start(const Options& options) {
            std::error_code error = links.listen(options.port);
            const auto start_next = [&](auto& discovery) {
                if (!error) error = discovery.start(executor, options, discovered());
            };
            std::apply([&](auto&... discovery) { (start_next(discovery), ...); }, discoveries);
            return error;
        }

        void stop() {
            std::apply([](auto&... discovery) { (discovery.stop(), ...); }, discoveries);
            alarm.stop();
            links.stop();
        }

        void announce(ByteView bytes) {
            asio::post(executor, [this, copy = Bytes(bytes.begin(), bytes.end())] {
                std::apply([&](auto&... discovery) { (discovery.announce(copy), ...); }, discoveries);
            });
        }

        DiscoveryEvents discovered() {
            return [this](const DiscoveryEvent& event) {
                std::visit([this](const auto& alternative) { events(alternative); }, event);
            };
        }

        std::shared_ptr<asio::io_context> context;  // of the thread, if any: not to go before what runs on it
        std::shared_ptr<detail::Gate> gate;
        asio::any_io_executor executor;
        TransportEvents events;
        detail::TcpLinks links;
        detail::Alarm alarm;
        std::tuple<Discovery...> discoveries;
    };

    struct State {
        asio::any_io_executor executor;  // of the program; empty: use the thread
        detail::IoThread thread;
        std::mutex mutex;
        std::shared_ptr<Session> session;  // under the mutex
    };

    std::shared_ptr<Session> session() const {
        const std::lock_guard lock{state_->mutex};
        return state_->session;
    }

    std::unique_ptr<State> state_;
};

static_assert(transport<TcpTransport<>>);

}  // namespace netsync

// ---- netsync/lan.hpp ----

// netsync: the entry header for networks: replicas on one machine or one LAN find each other, without any server. Needs
// Asio and threads (the CMake target netsync::lan).

namespace netsync {

/// A replica that finds the others of its pool by UDP announcements and options.peers. It runs on a thread of its own, or
/// on the Asio executor that it is given. It keeps its data in memory, or in options.file: LanReplica<T, SqliteStore>.
template <crdt T, store Store = MemoryStore>
using LanReplica = Replica<Store, TcpTransport<UdpDiscovery, StaticPeers>, HybridClock, T>;

}  // namespace netsync
