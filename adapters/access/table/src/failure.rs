//! What a query is refused or ends for.

use datafusion::common::DataFusionError;
use holdwater_processor::failure::Failure;

/// Says why a query failed, as every other look at a checkpoint says it: what was found damaged or
/// missing, what the query asks for that cannot be, or what it came to.
pub fn failure(error: DataFusionError) -> Failure {
    let root = error.find_root();
    if let DataFusionError::External(held) = root
        && let Some(failure) = held.downcast_ref::<Failure>()
    {
        return failure.clone();
    }
    let said = root.strip_backtrace();
    match root {
        DataFusionError::ResourcesExhausted(_) => {
            Failure::Resource(format!("{said}; give the query more with --memory-limit"))
        }
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_) => Failure::Usage(said),
        _ => Failure::Data(said),
    }
}
