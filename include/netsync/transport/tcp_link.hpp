// netsync: one TCP connection of a TcpTransport, from the dial or the accept to its end. Messages come in from any
// thread and go out as bytes; bytes come in and go out as events.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <netsync/detail/asio.hpp>
#include <netsync/error.hpp>
#include <netsync/options.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/transport/framing.hpp>
#include <netsync/wire/bytes.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

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
