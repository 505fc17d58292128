//! [`Service`]: models with their threads, ready to answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use dph_core::Style;
use tokio::net::TcpListener;
use tower_http::cors::AllowOrigin;

use crate::model::Model;
use crate::serve::app::App;
use crate::serve::metrics::{Metric, Metrics};
use crate::serve::openapi::openapi;
use crate::serve::openapi_limits::OpenapiLimits;
use crate::serve::options::ServeOptions;
use crate::serve::router::{allowed_origins, router};
use crate::serve::routes::routes;
use crate::serve::served_model::ServedModel;
use crate::serve::server::accept;
use crate::serve::worker::{Share, Worker, start};

/// Models with their threads, ready to answer requests.
pub struct Service {
    app: Arc<App>,
    origins: Option<AllowOrigin>,
    workers: Vec<JoinHandle<()>>,
}

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No model.
    #[error("there is no model to serve")]
    NoModel,
    /// Two models have one name.
    #[error("two models have the name `{name}`; give them others as NAME=DIR")]
    Name {
        /// The name.
        name: String,
    },
    /// The head reads other states than those of conversations.
    #[error(
        "the preference head of `{name}` was trained on documents in the style `plain`, and the service lays out conversations: the head \
         reads the state behind an answer, which differs; use a head that was trained in the style `chat`"
    )]
    PlainHead {
        /// The model.
        name: String,
    },
    /// Not an origin.
    #[error("`{origin}` is not an origin such as https://example.org, nor `*`")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// The system gives no thread.
    #[error("the thread of a model cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Service {
    /// Starts the thread of each model. The first model answers requests that name none.
    ///
    /// # Errors
    /// Models or options that cannot be served.
    pub fn new(models: Vec<(String, Model)>, options: ServeOptions) -> Result<Self, ServeError> {
        let origins =
            allowed_origins(&options.cors_origins).map_err(|origin| ServeError::Origin { origin })?;
        check(&models)?;
        let metrics = Arc::new(Metrics::default());
        let served = |(name, model)| Arc::new(ServedModel::new(name, model, &options));
        let models: Vec<Arc<ServedModel>> = models.into_iter().map(served).collect();
        // They are there before there is a defect.
        models.iter().for_each(|served| metrics.add(Metric::Panics, &[("model", &served.name)], 0.0));
        let worker = |served: &Arc<ServedModel>| {
            start(Worker {
                name: served.name.clone(),
                model: served.model.clone(),
                queue: served.queue.clone(),
                metrics: metrics.clone(),
                prefix_bytes: options.prefix_bytes,
                share: Share {
                    tokens: options.token_budget,
                    scores: options.batch_requests,
                    generations: options.generations,
                },
            })
        };
        let workers = models.iter().map(worker).collect::<Result<_, _>>()?;
        let limits = OpenapiLimits::new(models.iter().map(|served| &**served), &options);
        let openapi = openapi(&routes(), &limits).to_string().into_bytes();
        let app = Arc::new(App::new(options, models, metrics, openapi));
        Ok(Self { app, origins, workers })
    }

    /// Answers requests until `shutdown` is ready; then no connection is accepted any more, and the requests that were accepted are
    /// answered.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { app, origins, workers } = self;
        let options = &app.options;
        // A socket without an address is none that a browser could reach.
        let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
        let router = router(app.clone(), origins, is_local && options.keys.is_empty());
        let shutdown = async {
            shutdown.await;
            app.end();
        };
        accept(listener, router, options.read_timeout, options.connections, shutdown).await;
        app.models.iter().for_each(|model| model.queue.close());
        for worker in workers {
            // A thread that panicked has said so.
            let _ = worker.join();
        }
    }
}

fn check(models: &[(String, Model)]) -> Result<(), ServeError> {
    if models.is_empty() {
        return Err(ServeError::NoModel);
    }
    let mut names = BTreeSet::new();
    for (name, model) in models {
        if !names.insert(name) {
            return Err(ServeError::Name { name: name.clone() });
        }
        if model.head.as_ref().is_some_and(|(_, config)| config.style == Style::Plain) {
            return Err(ServeError::PlainHead { name: name.clone() });
        }
    }
    Ok(())
}
