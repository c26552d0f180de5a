// netsync: the transport of real networks: messages over TCP, announcements by the discoveries it is given. It runs on
// a thread of its own, or on an executor of the program.
#pragma once

#include <cassert>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <netsync/detail/asio.hpp>
#include <netsync/detail/entropy.hpp>
#include <netsync/discovery/concept.hpp>
#include <netsync/options.hpp>
#include <netsync/transport/alarm.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/transport/gate.hpp>
#include <netsync/transport/io_thread.hpp>
#include <netsync/transport/tcp_links.hpp>
#include <netsync/wire/bytes.hpp>
#include <system_error>
#include <tuple>
#include <utility>
#include <variant>

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
