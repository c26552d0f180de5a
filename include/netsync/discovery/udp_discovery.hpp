// netsync: announcements as UDP datagrams to whoever is near: broadcast and multicast, on every interface of the
// machine, over IPv4 and IPv6. No path is sure on every network; one that works is enough.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <netsync/detail/asio.hpp>
#include <netsync/discovery/concept.hpp>
#include <netsync/discovery/interfaces.hpp>
#include <netsync/options.hpp>
#include <netsync/wire/bytes.hpp>
#include <system_error>
#include <utility>

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
