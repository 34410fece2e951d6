//! Clients of S3, Google Cloud Storage and Azure, as the environment sets them.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};

use crate::error::{Cause, ObjectsError, Step};
use crate::remote::Remote;
use crate::trouble::{Trouble, told};

/// Opens the bucket or container of a URL.
pub(crate) fn open(url: &str, scheme: &str, bucket: &str) -> Result<Remote, ObjectsError> {
    // Each request is repeated by this adapter, which must know of every single one how it ended.
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let failed = |error| refused(url, &error);
    Ok(match scheme {
        "s3" => {
            let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            check_http(url, &builder)?;
            // One object per request: not every store knows the other form.
            let builder = builder.with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
            let builder = builder.with_retry(once).with_http_connector(Connector);
            Remote::of(Arc::new(builder.build().map_err(failed)?))
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            let builder = builder.with_retry(once).with_http_connector(Connector);
            Remote::of(Arc::new(builder.build().map_err(failed)?))
        }
        _ => {
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket);
            let builder = builder.with_retry(once).with_http_connector(Connector);
            Remote::of(Arc::new(builder.build().map_err(failed)?))
        }
    })
}

/// An endpoint without TLS is used only by those who ask for it.
fn check_http(url: &str, builder: &AmazonS3Builder) -> Result<(), ObjectsError> {
    let set = |key| builder.get_config_value(&key);
    let endpoint = set(AmazonS3ConfigKey::S3Endpoint).or(set(AmazonS3ConfigKey::Endpoint));
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let allowed = set(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if plain && !allowed.is_some_and(|allowed| matches!(&*allowed, "true" | "1" | "yes" | "on")) {
        let told = "the endpoint is http://, which needs AWS_ALLOW_HTTP=true".to_owned();
        let (step, url) = (Step::Open, url.to_owned());
        return Err(ObjectsError { step, url, cause: Cause::Refused, told });
    }
    Ok(())
}

fn refused(url: &str, error: &object_store::Error) -> ObjectsError {
    let (step, url, cause) = (Step::Open, url.to_owned(), Cause::Refused);
    ObjectsError { step, url, cause, told: told(error) }
}

/// Makes clients whose failures tell how they failed.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Where an instance gets its credentials, a refusal means to ask in another way.
        let asks_for_token = request.uri().path() == "/latest/api/token";
        let answer = self.0.execute(request).await.map_err(|error| {
            let (kind, text) = (error.kind(), chain(&error));
            HttpError::new(
                kind,
                match kind {
                    HttpErrorKind::Connect => Trouble::Unsent(text),
                    _ => Trouble::Silent(text),
                },
            )
        })?;
        let status = answer.status().as_u16();
        // These `object_store` tells apart by itself.
        if status < 300 || matches!(status, 304 | 409 | 412 | 416) || asks_for_token {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let body = body.bytes().await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body[..body.len().min(TEXT_BYTES)]).into_owned();
        // An object that is not there is an answer; a bucket that is not there is none.
        if status == 404 && !NO_BUCKET.iter().any(|code| text.contains(code)) {
            return Ok(HttpResponse::from_parts(head, body.into()));
        }
        Err(HttpError::new(HttpErrorKind::Unknown, Trouble::Answered(status, text)))
    }
}

/// Says what failed, down to its innermost cause.
fn chain(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What stores call a bucket or container that is not there.
const NO_BUCKET: [&str; 2] = ["ContainerNotFound", "NoSuchBucket"];

/// Enough of an answer to find its code and message in.
const TEXT_BYTES: usize = 4096;
