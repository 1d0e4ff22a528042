//! The table of a service's RPCs.

use super::calls::{Call, Calls};
use super::outcomes::Outcomes;
use crate::error::{Error, Result};

/// The counters and the log that each RPC of one service passes through.
#[derive(Debug)]
pub struct Admission<'a> {
    /// Counters of the service.
    pub calls: &'a Calls,
    /// Log of the failures.
    pub outcomes: &'a Outcomes,
}

impl<'a> Admission<'a> {
    /// Counts the beginning of the RPC at this place of the table.
    pub fn begin(&self, method: usize) -> Call<'a> {
        self.calls.begin(method)
    }

    /// Counts and logs the end of the RPC named `rpc`, and returns its reply unchanged.
    ///
    /// # Errors
    /// The error of the reply.
    pub fn end<T>(&self, call: Call<'_>, rpc: &str, reply: Result<T>) -> Result<T> {
        call.end(reply.as_ref().err().map(Error::code));
        if let Err(error) = &reply {
            self.outcomes.failed(rpc, error);
        }
        reply
    }
}

/// Implements the trait of a gRPC or ttrpc service by a table of its RPCs.
///
/// A row `rpc(Request) -> Response;` of a table that begins with `grpc` generates the trait's
/// method `rpc`, which calls the inherent `async fn rpc(&self, message) -> Result<Response>` (the
/// error is [`Error`](crate::Error)). Each call is counted, and is logged if it fails, by the
/// [`Admission`](crate::server::Admission) that the inherent method named by `admission` returns. The module named by `table` holds `METHODS`,
/// the names of the RPCs in their order.
///
/// A row `[stream] rpc(Request) -> Item as RpcStream;` generates a method that streams its reply,
/// and the trait's type `RpcStream`. The inherent `async fn rpc(&self, message)` returns the
/// stream, of `Result<Item, tonic::Status>`; the call is counted until then.
///
/// The services of this crate begin with `namespaced_grpc` or `namespaced_ttrpc`. Their rows
/// `rpc => function(Request) -> Response;` name the function, which takes the namespace before
/// the message, and `about` the field of all requests with the id of the sandbox or container.
#[macro_export]
macro_rules! rpcs {
    (
        grpc impl [$($generics:tt)*] $service:ident for $implementor:ty { $($head:tt)* }
        $($rpc:ident($request:ident) -> $response:ident;)*
        $([stream] $stream:ident($asked:ident) -> $item:ident as $type:ident;)*
    ) => {
        $crate::rpcs! {
            plain_grpc impl [$($generics)*] $service for $implementor { $($head)* }
            $($rpc => $rpc($request) -> $response;)*
            $([stream] $stream($asked) -> $item as $type;)*
        }
    };

    (
        $wire:ident impl [$($generics:tt)*] $service:ident for $implementor:ty {
            name = $name:literal;
            messages = $messages:ident;
            admission = $admission:ident;
            table = $table:ident $(about $id:ident)?;
            $($more:item)*
        }
        $($rpc:ident => $function:ident($request:ident) -> $response:ident;)*
        $([stream] $stream:ident($asked:ident) -> $item:ident as $type:ident;)*
    ) => {
        /// The RPCs in the order of the table.
        pub(crate) mod $table {
            /// Names of the RPCs.
            pub(crate) const METHODS: &[&str] = &[
                $(stringify!($rpc),)*
                $(stringify!($stream),)*
            ];

            /// Places of the RPCs in [`METHODS`].
            #[allow(non_camel_case_types)]
            pub(super) enum Rpc {
                $($rpc,)*
                $($stream,)*
            }
        }

        $crate::rpcs! { @$wire
            [$($generics)*] $service, $implementor, $name, $messages, $admission, $table, [$($id)?]
            { $($more)* }
            $($rpc $function $request $response)*
            [$($stream $asked $item $type)*]
        }
    };

    (
        @plain_grpc [$($generics:tt)*] $service:ident, $implementor:ty, $name:literal,
        $messages:ident, $admission:ident, $table:ident, [] { $($more:item)* }
        $($rpc:ident $function:ident $request:ident $response:ident)*
        [$($stream:ident $asked:ident $item:ident $type:ident)*]
    ) => {
        #[::tonic::async_trait]
        impl<$($generics)*> $service for $implementor {
            $($more)*

            $(async fn $rpc(
                &self,
                request: ::tonic::Request<$messages::$request>,
            ) -> ::std::result::Result<::tonic::Response<$messages::$response>, ::tonic::Status> {
                let admission = self.$admission();
                let call = admission.begin($table::Rpc::$rpc as usize);
                let call = call.about("", || $crate::TraceContext::of_grpc(request.metadata()));
                let reply = self.$function(request.into_inner()).await;
                let reply = admission.end(call, concat!($name, ".", stringify!($rpc)), reply);
                Ok(::tonic::Response::new(reply?))
            })*

            $(
                type $type = ::std::pin::Pin<::std::boxed::Box<
                    dyn ::futures::Stream<
                            Item = ::std::result::Result<$messages::$item, ::tonic::Status>,
                        > + ::std::marker::Send,
                >>;

                async fn $stream(
                    &self,
                    request: ::tonic::Request<$messages::$asked>,
                ) -> ::std::result::Result<::tonic::Response<Self::$type>, ::tonic::Status> {
                    let admission = self.$admission();
                    let call = admission.begin($table::Rpc::$stream as usize);
                    let reply = self.$stream(request.into_inner()).await;
                    let reply =
                        admission.end(call, concat!($name, ".", stringify!($stream)), reply);
                    Ok(::tonic::Response::new(::std::boxed::Box::pin(reply?)))
                }
            )*
        }
    };

    (
        @namespaced_grpc [$($generics:tt)*] $service:ident, $implementor:ty, $name:literal,
        $messages:ident, $admission:ident, $table:ident, [$id:ident] {}
        $($rpc:ident $function:ident $request:ident $response:ident)*
        []
    ) => {
        #[::tonic::async_trait]
        impl<$($generics)*> $service for $implementor {
            $(async fn $rpc(
                &self,
                request: ::tonic::Request<$messages::$request>,
            ) -> ::std::result::Result<::tonic::Response<$messages::$response>, ::tonic::Status> {
                let admission = self.$admission();
                let call = admission.begin($table::Rpc::$rpc as usize);
                let (metadata, _, message) = request.into_parts();
                let call = call.about(&message.$id, || $crate::TraceContext::of_grpc(&metadata));
                let reply = match $crate::namespace::of_grpc(&metadata) {
                    Ok(namespace) => self.$function(namespace, message).await,
                    Err(error) => Err(error),
                };
                let reply = admission.end(call, concat!($name, ".", stringify!($rpc)), reply);
                Ok(::tonic::Response::new(reply?))
            })*
        }
    };

    (
        @namespaced_ttrpc [$($generics:tt)*] $service:ident, $implementor:ty, $name:literal,
        $messages:ident, $admission:ident, $table:ident, [$id:ident] {}
        $($rpc:ident $function:ident $request:ident $response:ident)*
        []
    ) => {
        #[::tonic::async_trait]
        impl<$($generics)*> $service for $implementor {
            $(async fn $rpc(
                &self,
                context: &::ttrpc::asynchronous::TtrpcContext,
                message: $messages::$request,
            ) -> ::ttrpc::Result<$messages::$response> {
                let admission = self.$admission();
                let call = admission.begin($table::Rpc::$rpc as usize);
                let call = call.about(&message.$id, || $crate::TraceContext::of_ttrpc(context));
                let namespace = $crate::namespace::of_ttrpc(context);
                let reply = self.$function(namespace, message).await;
                let reply = admission.end(call, concat!($name, ".", stringify!($rpc)), reply);
                Ok(reply?)
            })*
        }
    };
}
