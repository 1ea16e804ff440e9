//! Connections that can be cut from inside a request.
//!
//! A handler can only answer; a server that drops the connection does not. So the listener hands out
//! streams that fail as soon as their [`Cut`] is pulled, which also lets a stopping server end
//! connections that a hanging request keeps open. A [`Shutter`] does that for all of them at once, and keeps the port
//! closed for a while: a client that connects then is refused by the system.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Cuts one connection, and counts what is asked over it.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    token: CancellationToken,
    requests: Arc<AtomicUsize>,
}

impl Cut {
    pub(crate) fn pull(&self) {
        self.token.cancel();
    }

    /// Keeps the connection from being idle until it is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.requests))
    }
}

/// A request that is being handled.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Closes the port of a server for a while.
#[derive(Debug, Default)]
pub(crate) struct Shutter {
    time: Mutex<Duration>,
    pulled: Notify,
    opened: Notify,
}

impl Shutter {
    /// Cuts every connection and refuses new ones for this long.
    pub(crate) fn pull(&self, time: Duration) {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner) = time;
        self.pulled.notify_one();
    }

    /// Opens the port now, if it is closed.
    pub(crate) fn open(&self) {
        self.opened.notify_waiters();
    }

    /// Waits until it is pulled, and returns for how long.
    async fn pulled(&self) -> Duration {
        self.pulled.notified().await;
        *self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener whose connections can be cut one by one, or all by `every`.
#[derive(Debug)]
pub(crate) struct Door {
    /// `None` while the port is closed.
    listener: Option<TcpListener>,
    address: SocketAddr,
    every: CancellationToken,
    /// Cuts the connections since the port was last opened.
    lines: CancellationToken,
    shutter: Arc<Shutter>,
    /// After how long a connection without requests is closed.
    idle: Option<Duration>,
}

impl Door {
    /// A door at a bound listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn new(
        listener: TcpListener,
        every: CancellationToken,
        shutter: Arc<Shutter>,
        idle: Option<Duration>,
    ) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            listener: Some(listener),
            lines: every.child_token(),
            every,
            shutter,
            idle,
        })
    }

    /// The listener, bound again if the port was closed.
    async fn open(&mut self) -> &TcpListener {
        while self.listener.is_none() {
            match TcpListener::bind(self.address).await {
                Ok(listener) => self.listener = Some(listener),
                // Another process has it for now.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        self.listener.as_ref().expect("the loop ends with one")
    }

    async fn close_for(&mut self, time: Duration) {
        self.listener = None;
        self.lines.cancel();
        self.lines = self.every.child_token();
        // Both are cancel-safe: a moment and a note.
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shutter.opened.notified() => {}
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    cut: CancellationToken,
    wait: Pin<Box<WaitForCancellationFutureOwned>>,
    requests: Arc<AtomicUsize>,
    idle: Option<Idle>,
}

/// Closes a connection over which nothing has come or gone for a while, and no request is being handled.
#[derive(Debug)]
struct Idle {
    time: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(time: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(time));
        Self { time, timer }
    }

    fn restart(&mut self) {
        self.timer.as_mut().reset(Instant::now() + self.time);
    }

    /// Whether it is time; otherwise the task is woken when it may be.
    fn is_over(&mut self, requests: &AtomicUsize, context: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(context).is_ready() {
            if requests.load(Ordering::Relaxed) == 0 {
                return true;
            }
            self.restart();
        }
        false
    }
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            let shutter = Arc::clone(&self.shutter);
            let accepted = tokio::select! {
                accepted = async { self.open().await.accept().await } => accepted,
                time = shutter.pulled() => {
                    self.close_for(time).await;
                    continue;
                }
            };
            match accepted {
                Ok((stream, address)) => {
                    // Without it small answers wait for the client's acknowledgement; where it cannot be
                    // set they still arrive.
                    drop(stream.set_nodelay(true));
                    let cut = self.lines.child_token();
                    let wait = Box::pin(cut.clone().cancelled_owned());
                    let line = Line {
                        stream,
                        cut,
                        wait,
                        requests: Arc::default(),
                        idle: self.idle.map(Idle::new),
                    };
                    return (line, address);
                }
                // Out of file handles, or a client that was gone again at once.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Door>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        let line = stream.io();
        Self {
            token: line.cut.clone(),
            requests: Arc::clone(&line.requests),
        }
    }
}

fn cut() -> io::Error {
    io::Error::from(ErrorKind::ConnectionReset)
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wait.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(cut()));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let line = &mut *self;
        let is_over = match &mut line.idle {
            Some(idle) if read.is_ready() => {
                idle.restart();
                false
            }
            Some(idle) => idle.is_over(&line.requests, context),
            None => false,
        };
        if is_over {
            // The end of what comes in: the connection is closed in good order.
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(cut()));
        }
        if let Some(idle) = &mut self.idle {
            idle.restart();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(cut()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
        Poll::Ready(closed)
    }
}
